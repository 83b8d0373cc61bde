import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.opensearch.Version;
import org.opensearch.analysis.common.CommonAnalysisModulePlugin;
import org.opensearch.common.settings.Settings;
import org.opensearch.http.HttpInfo;
import org.opensearch.index.reindex.ReindexModulePlugin;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.painless.PainlessModulePlugin;
import org.opensearch.plugins.PluginInfo;
import org.opensearch.transport.Netty4ModulePlugin;

/** One OpenSearch node: prints its URL once it is ready. `Main FOLDER [SETTING=VALUE...]`. */
final class Main extends Node {
    private Main(Settings settings, List<PluginInfo> plugins) {
        super(InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "live"), plugins, false);
    }

    public static void main(String[] args) throws Exception {
        var settings = Settings.builder()
            .put("path.home", args[0])
            .put("cluster.name", "payops-live")
            .put("discovery.type", "single-node")
            .put("network.host", "127.0.0.1")
            .put("http.type", "netty4")
            .put("http.port", "0")
            .put("transport.type", "netty4")
            .put("transport.port", "0")
            .put("cluster.routing.allocation.disk.threshold_enabled", false);
        for (String setting : List.of(args).subList(1, args.length)) {
            settings.put(setting.substring(0, setting.indexOf('=')), setting.substring(setting.indexOf('=') + 1));
        }
        var plugins = Stream.of(
            Netty4ModulePlugin.class, CommonAnalysisModulePlugin.class, PainlessModulePlugin.class, ReindexModulePlugin.class
        ).map(plugin -> new PluginInfo(
            plugin.getSimpleName(), "", "", Version.CURRENT, "21", plugin.getName(), null, List.of(), false
        )).toList();
        var node = new Main(settings.build(), plugins).start();
        var cluster = node.client().admin().cluster();
        cluster.prepareHealth().setWaitForYellowStatus().get();
        var address = cluster.prepareNodesInfo().all().get().getNodes().getFirst().getInfo(HttpInfo.class).getAddress();
        System.out.println("http://" + address.publishAddress());
        System.out.flush();
        new CountDownLatch(1).await(); // the node's own threads do not keep the process alive
    }
}
