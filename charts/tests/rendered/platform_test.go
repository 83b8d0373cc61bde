package rendered

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// names are Terraform's.
type platformNames struct {
	Regions map[string]string
	GitHub  struct {
		SubPrefix string `json:"sub_prefix"`
	}
	Accounts map[string]struct{ ID, CIDR string }
	Templates,
	Roles map[string]string
	Secrets     map[string]struct{ Readers, Accounts []string }
	Controllers map[string]struct{ Namespace string }
	Registry    struct {
		Account, Images, Charts string
		PullRequest             struct{ Account, Images, Charts string } `json:"pull_request"`
	}
	Jobs        map[string]struct{ Namespace string }
	SearchAlias string `json:"search_alias"`
}

func namesOf(t *testing.T) platformNames {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "terraform/modules/names/names.json"))
	if err != nil {
		t.Fatal(err)
	}
	var names platformNames
	if err := json.Unmarshal(text, &names); err != nil {
		t.Fatal(err)
	}
	return names
}

func (names platformNames) named(key, environment string) string {
	return strings.ReplaceAll(names.Templates[key], "{env}", environment)
}

// argo reads every object of charts/argocd that is no values file, with the file that it is in.
func argo(t *testing.T) map[string][]unstructured.Unstructured {
	t.Helper()
	found := map[string][]unstructured.Unstructured{}
	folder := filepath.Join(root, "charts/argocd")
	for _, pattern := range []string{"*.yaml", "projects/*.yaml", "applicationsets/*.yaml", "settings/*.yaml"} {
		files, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			objects, err := parse(text)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			name, _ := filepath.Rel(folder, file)
			found[name] = objects
		}
	}
	return found
}

type project struct {
	Spec struct {
		SourceRepos                []string
		Destinations               []struct{ Name, Namespace, Server string }
		ClusterResourceWhitelist   []struct{ Group, Kind, Name string }
		NamespaceResourceWhitelist []struct{ Group, Kind string }
	}
}

func projectsOf(t *testing.T) map[string]project {
	t.Helper()
	projects := map[string]project{}
	for _, objects := range argo(t) {
		for _, object := range ofKind(objects, "AppProject") {
			text, err := yaml.Marshal(object.Object)
			if err != nil {
				t.Fatal(err)
			}
			var typed project
			if err := yaml.Unmarshal(text, &typed); err != nil {
				t.Fatal(err)
			}
			projects[object.GetName()] = typed
		}
	}
	return projects
}

// takes says whether a project allows an object in a namespace.
func (p project) takes(object unstructured.Unstructured) bool {
	group := object.GroupVersionKind().Group
	if object.GetNamespace() == "" {
		for _, allowed := range p.Spec.ClusterResourceWhitelist {
			matches, _ := filepath.Match(allowed.Name, object.GetName())
			if (allowed.Group == "*" || allowed.Group == group) && (allowed.Kind == "*" || allowed.Kind == object.GetKind()) &&
				(allowed.Name == "" || matches) {
				return true
			}
		}
		return false
	}
	return slices.ContainsFunc(p.Spec.NamespaceResourceWhitelist, func(allowed struct{ Group, Kind string }) bool {
		return (allowed.Group == "*" || allowed.Group == group) && (allowed.Kind == "*" || allowed.Kind == object.GetKind())
	})
}

// Each chart has the values of each environment that there is, and renders with them.
func TestEveryChartRendersForEveryEnvironment(t *testing.T) {
	wanted := map[string][]string{"cluster": {"preprod", "prod", "test"}}
	files, err := filepath.Glob(filepath.Join(charts, "*/Chart.yaml"))
	if err != nil || len(files) < 6 {
		t.Fatal(files, err)
	}
	count := 0
	for _, file := range files {
		chart := filepath.Base(filepath.Dir(file))
		if chart == "payops" {
			continue
		}
		want := wanted[chart]
		if want == nil {
			want = slices.Sorted(slices.Values(environments))
		}
		values, err := filepath.Glob(filepath.Join(charts, chart, "values/*.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		var have []string
		for _, value := range values {
			environment := strings.TrimSuffix(filepath.Base(value), ".yaml")
			have = append(have, environment)
			text, err := template(chart, environment)
			if err != nil {
				t.Error(err)
				continue
			}
			objects, err := parse(text)
			if err != nil || len(objects) == 0 {
				t.Errorf("%s in %s: %d objects, %v", chart, environment, len(objects), err)
			}
			count++
		}
		if !slices.Equal(have, want) {
			t.Errorf("%s has values of %v, not of %v", chart, have, want)
		}
	}
	if count != 4*len(environments)+3 {
		t.Errorf("%d were rendered", count)
	}
}

// What a chart makes and its project does not take stops a sync halfway.
func TestProjectsTakeWhatChartsMakeAndNotMore(t *testing.T) {
	projects := projectsOf(t)
	used := map[string]map[string]bool{}
	look := func(name string, objects []unstructured.Unstructured) {
		project, exists := projects[name]
		if !exists {
			t.Fatalf("no project %s", name)
		}
		if used[name] == nil {
			used[name] = map[string]bool{}
		}
		for _, object := range objects {
			used[name][object.GetKind()] = true
			if !project.takes(object) {
				t.Errorf("%s does not take %s/%s", name, object.GetKind(), object.GetName())
			}
		}
	}
	for _, service := range services {
		for _, environment := range environments {
			name := "payops-" + environment
			if environment == "pr" {
				name = "pull-requests"
			}
			look(name, rendered[service][environment])
			text, err := template(service, environment, "--set", "mesh.enabled=true")
			if err != nil {
				t.Fatal(err)
			}
			objects, err := parse(text)
			if err != nil {
				t.Fatal(err)
			}
			if environment != "pr" {
				look(name, objects)
			}
		}
	}
	for _, environment := range environments {
		text, err := template("namespaces", environment)
		if err != nil {
			t.Fatal(err)
		}
		objects, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		name := "namespaces-" + environment
		if environment == "pr" {
			name = "pull-request-namespaces"
		}
		look(name, objects)
	}
	for name, kinds := range used {
		for _, allowed := range projects[name].Spec.NamespaceResourceWhitelist {
			// Only where canaries are judged by numbers is there an autoscaler; test keeps the rest of what the other two have.
			if !kinds[allowed.Kind] && !(name == "payops-test" && allowed.Kind == "HorizontalPodAutoscaler") {
				t.Errorf("%s takes %s, which no chart makes", name, allowed.Kind)
			}
		}
		if strings.HasPrefix(name, "payops-") || name == "pull-requests" {
			if len(projects[name].Spec.ClusterResourceWhitelist) != 0 {
				t.Errorf("%s: a service makes something that is the cluster's", name)
			}
		}
	}
}

// The VPC CNI resolves a policy's pods to a service's address only where the service's port is the pods'.
func TestServicesStandOnThePortsOfTheirPods(t *testing.T) {
	each(t, func(t *testing.T, _, _ string, objects []unstructured.Unstructured) {
		ports := map[string]int32{}
		for _, port := range rolloutOf(t, objects).Spec.Template.Spec.Containers[0].Ports {
			ports[port.Name] = port.ContainerPort
		}
		for _, object := range ofKind(objects, "Service") {
			service := as[corev1.Service](t, object)
			for _, port := range service.Spec.Ports {
				if port.Name != port.TargetPort.StrVal || port.Port != ports[port.Name] {
					t.Errorf("%s: %s is %d to %s, the pods have %v", service.Name, port.Name, port.Port, port.TargetPort.String(), ports)
				}
			}
		}
		if routing := rolloutOf(t, objects).Spec.Strategy.Canary.TrafficRouting; routing != nil && routing.ALB.ServicePort != ports["http"] {
			t.Errorf("weights are divided on port %d", routing.ALB.ServicePort)
		}
	})
}

// The load balancers are Terraform's: an Ingress names one, its security group and nothing else of it. Ingresses that
// share one must not differ, or the controller takes none of them.
func TestIngressesFillTheLoadBalancersThatTerraformMakes(t *testing.T) {
	names := namesOf(t)
	shared := map[string]string{}
	each(t, func(t *testing.T, service, environment string, objects []unstructured.Unstructured) {
		account := environment
		if environment == "pr" {
			account = "test"
		}
		for _, object := range ofKind(objects, "Ingress") {
			ingress := as[networkingv1.Ingress](t, object)
			annotation := func(name string) string { return ingress.Annotations["alb.ingress.kubernetes.io/"+name] }
			group := annotation("group.name")
			want := map[string]string{
				names.named("public_load_balancer", account):   "internet-facing",
				names.named("internal_load_balancer", account): "internal",
			}
			if want[group] == "" || want[group] != annotation("scheme") || annotation("load-balancer-name") != group {
				t.Errorf("%s: %s, %s", ingress.Name, group, annotation("scheme"))
			}
			if annotation("security-groups") != group+"-alb" {
				t.Errorf("%s: security groups are %q", ingress.Name, annotation("security-groups"))
			}
			for _, forbidden := range []string{
				"load-balancer-attributes", "inbound-cidrs", "manage-backend-security-group-rules", "subnets", "tags", "wafv2-acl-arn", "certificate-arn",
			} {
				if annotation(forbidden) != "" {
					t.Errorf("%s sets %s, which is Terraform's", ingress.Name, forbidden)
				}
			}
			if annotation("listen-ports") != `[{"HTTPS":443}]` || len(ingress.Spec.TLS) != 1 {
				t.Errorf("%s does not ask for HTTPS alone", ingress.Name)
			}
			// What holds for the whole load balancer.
			whole := fmt.Sprint(annotation("scheme"), annotation("security-groups"), annotation("listen-ports"), annotation("ssl-policy"))
			if before, exists := shared[group]; exists && before != whole {
				t.Errorf("%s in %s differs from another Ingress of %s", ingress.Name, environment, group)
			}
			shared[group] = whole
		}
	})
	if len(shared) != 6 {
		t.Errorf("%d load balancers are filled", len(shared))
	}
	text, err := os.ReadFile(filepath.Join(root, "charts/argocd/addons/aws-load-balancer-controller.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	controller := struct {
		EnableShield               *bool
		EnableWaf                  *bool
		EnableWafv2                *bool
		EnableBackendSecurityGroup *bool
		ExternalManagedTags        []string
	}{}
	if err := yaml.Unmarshal(text, &controller); err != nil {
		t.Fatal(err)
	}
	for name, enabled := range map[string]*bool{
		"enableShield": controller.EnableShield, "enableWaf": controller.EnableWaf, "enableWafv2": controller.EnableWafv2,
		"enableBackendSecurityGroup": controller.EnableBackendSecurityGroup,
	} {
		if enabled == nil || *enabled {
			t.Errorf("the controller has %s, which is Terraform's", name)
		}
	}
	for _, environment := range []string{"test", "preprod", "prod"} {
		text, err := os.ReadFile(filepath.Join(root, "terraform/accounts", environment, "versions.tf"))
		if err != nil {
			t.Fatal(err)
		}
		// A tag that the controller does not know of it takes off.
		for _, block := range regexp.MustCompile(`default_tags \{\s*tags = \{([^}]*)\}`).FindAllStringSubmatch(string(text), -1) {
			var tags []string
			for _, tag := range regexp.MustCompile(`([\w-]+)\s*=`).FindAllStringSubmatch(block[1], -1) {
				tags = append(tags, tag[1])
			}
			if !slices.Equal(tags, controller.ExternalManagedTags) {
				t.Errorf("Terraform tags what it makes in %s with %v, the controller leaves %v alone", environment, tags, controller.ExternalManagedTags)
			}
		}
		if !strings.Contains(string(text), "default_tags") {
			t.Errorf("terraform/accounts/%s has no default tags", environment)
		}
	}
	for _, environment := range []string{"test", "preprod", "prod"} {
		text, err := os.ReadFile(filepath.Join(root, "charts/argocd/addons", environment, "aws-load-balancer-controller.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		var values struct {
			ClusterName string            `json:"clusterName"`
			VPCTags     map[string]string `json:"vpcTags"`
		}
		if err := yaml.UnmarshalStrict(text, &values); err != nil {
			t.Fatal(err)
		}
		if values.ClusterName != names.named("cluster", environment) || values.VPCTags["Name"] != "payops-"+environment {
			t.Errorf("the controller of %s has %+v", environment, values)
		}
	}
}

// Jobs inside the network run in CodeBuild, whose own limits end them whatever their workflow says.
func TestRunnersAreWhatTheirJobsNeed(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "terraform/modules/runners/main.tf"))
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`build_timeout\s*=\s*(\d+)`).FindStringSubmatch(string(text))
	if match == nil {
		t.Fatal("the runners have no build_timeout")
	}
	limit, _ := strconv.Atoi(match[1])
	privileged := regexp.MustCompile(`privileged_mode\s*=\s*true`).Match(text)
	files, err := filepath.Glob(filepath.Join(root, ".github/workflows/*.yml"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var workflow struct {
			Jobs map[string]struct {
				RunsOn         any `json:"runs-on"`
				TimeoutMinutes int `json:"timeout-minutes"`
				Steps          []struct{ Run string }
			}
		}
		if err := yaml.Unmarshal(text, &workflow); err != nil {
			t.Fatal(err)
		}
		for name, job := range workflow.Jobs {
			if runner, _ := job.RunsOn.(string); !strings.HasPrefix(runner, "codebuild-payops-runners-") {
				continue
			}
			found++
			if job.TimeoutMinutes == 0 || job.TimeoutMinutes >= limit {
				t.Errorf("%s of %s may take %d minutes, its runner %d", name, filepath.Base(file), job.TimeoutMinutes, limit)
			}
			for _, step := range job.Steps {
				if strings.Contains(step.Run, "docker ") && !privileged {
					t.Errorf("%s of %s needs Docker, which only a privileged runner has", name, filepath.Base(file))
				}
			}
		}
	}
	if found == 0 {
		t.Error("no job runs inside the network")
	}
}

// Roles in management: what builds pushes without reviewers, what has reviewers applies.
func TestBuildsHaveAnEnvironmentOfTheirOwn(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "terraform/accounts/management/delivery.tf"))
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`release_environment\s*=\s*"([a-z-]+)"`).FindStringSubmatch(string(text))
	if match == nil {
		t.Fatal("management's pipeline roles name no release_environment")
	}
	for _, name := range []string{"deploy", "release"} {
		text, err := os.ReadFile(filepath.Join(root, ".github/workflows", name+".yml"))
		if err != nil {
			t.Fatal(err)
		}
		var workflow struct {
			Jobs map[string]struct {
				Uses string
				With map[string]any
			}
		}
		if err := yaml.Unmarshal(text, &workflow); err != nil {
			t.Fatal(err)
		}
		found := false
		for job, is := range workflow.Jobs {
			if is.Uses != "./.github/workflows/build.yml" {
				continue
			}
			found = true
			if is.With["account"] != "management" || is.With["environment"] != match[1] {
				t.Errorf("%s of %s builds in %v, management trusts %s", job, name, is.With, match[1])
			}
		}
		if !found {
			t.Errorf("%s builds nothing", name)
		}
	}
}

// A connection that the service closes while the load balancer still means to use it is a 502, and a request that
// lasts longer than either waits is cut off.
func TestIdleConnectionsAreClosedByTheLoadBalancer(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "terraform/modules/edge/load-balancers.tf"))
	if err != nil {
		t.Fatal(err)
	}
	settings, err := os.ReadFile(filepath.Join(root, "services/payments/src/bin/payops-payments/config.rs"))
	if err != nil {
		t.Fatal(err)
	}
	request := regexp.MustCompile(`"PAYOPS_REQUEST_TIMEOUT",\s*"(\d+s)"`).FindStringSubmatch(string(settings))
	idle := regexp.MustCompile(`idle_timeout\s+= (\d+)`).FindAllStringSubmatch(string(text), -1)
	if len(idle) != 2 || request == nil {
		t.Fatal(idle, request)
	}
	for _, environment := range environments {
		config := configOf(t, rendered["payments-api"][environment])
		for _, match := range idle {
			balancer := seconds(t, match[1]+"s")
			longest := request[1]
			if set, exists := config["PAYOPS_REQUEST_TIMEOUT"]; exists {
				longest = set
			}
			if seconds(t, config["PAYOPS_HEAD_TIMEOUT"]) <= balancer || seconds(t, longest) >= balancer {
				t.Errorf("%s: requests last %s, the load balancer waits %d s, the service keeps connections for %s",
					environment, longest, balancer, config["PAYOPS_HEAD_TIMEOUT"])
			}
		}
	}
}

func TestNetworksAreTerraforms(t *testing.T) {
	names := namesOf(t)
	// As the module network divides a /16.
	within := func(account string, bits int, numbers ...int) []string {
		whole := netip.MustParsePrefix(names.Accounts[account].CIDR)
		if whole.Bits() != 16 {
			t.Fatalf("%s has %s", account, whole)
		}
		var parts []string
		for _, number := range numbers {
			address := whole.Addr().As4()
			offset := number << (16 - (bits - 16))
			address[2] |= byte(offset >> 8)
			address[3] |= byte(offset)
			parts = append(parts, netip.PrefixFrom(netip.AddrFrom4(address), bits).String())
		}
		return parts
	}
	for _, service := range services {
		for _, environment := range environments {
			account := environment
			if environment == "pr" {
				account = "test"
			}
			want := map[string][]string{
				"load-balancers": within(account, 20, 0, 1, 2, 4, 5, 6),
				"endpoints":      within(account, 20, 4, 5, 6),
				"data":           within(account, 24, 240, 241, 242),
			}
			text, err := os.ReadFile(filepath.Join(charts, service, "values", environment+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			var values struct {
				Network struct{ CIDRs map[string][]string }
			}
			if err := yaml.Unmarshal(text, &values); err != nil {
				t.Fatal(err)
			}
			if len(values.Network.CIDRs) == 0 {
				t.Errorf("%s in %s names no network", service, environment)
			}
			for name, cidrs := range values.Network.CIDRs {
				if !slices.Equal(cidrs, want[name]) {
					t.Errorf("%s in %s: %s is %v, Terraform makes %v", service, environment, name, cidrs, want[name])
				}
			}
		}
	}
}

// A service account that uses AWS has a role in Terraform, by namespace and name.
func TestRolesAreForAccountsThatExist(t *testing.T) {
	names := namesOf(t)
	if names.Jobs == nil || names.Controllers == nil {
		t.Skip("names.json of this checkout names no jobs and controllers")
	}
	for _, environment := range environments {
		for _, object := range ofKind(rendered["payments-api"][environment], "Job") {
			account, _, _ := unstructured.NestedString(object.Object, "spec", "template", "spec", "serviceAccountName")
			if names.Jobs[account].Namespace != "payments-api" {
				t.Errorf("%s runs as %s, which has no role", object.GetName(), account)
			}
		}
	}
	deployed := map[string]bool{}
	for _, addon := range addonsOf(t) {
		role, exists := names.Controllers[addon.Addon]
		if !exists {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, "charts/argocd/addons", addon.Addon+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		var values struct {
			ServiceAccount struct{ Name string } `json:"serviceAccount"`
			RBAC           struct {
				ServiceAccount struct{ Name string } `json:"serviceAccount"`
			}
		}
		if err := yaml.Unmarshal(text, &values); err != nil {
			t.Fatal(err)
		}
		// The chart of the autoscaler has it beside its roles.
		account := values.ServiceAccount.Name + values.RBAC.ServiceAccount.Name
		if role.Namespace != addon.Namespace || account != addon.Addon {
			t.Errorf("%s runs as %s/%s, the role is for %s/%s", addon.Addon, addon.Namespace, account, role.Namespace, addon.Addon)
		}
		deployed[addon.Addon] = true
	}
	for name := range names.Controllers {
		if !deployed[name] {
			t.Errorf("%s has a role, and nothing deploys it", name)
		}
	}
}

type addon struct{ Addon, Namespace, Repository, Chart, Version string }

func addonsOf(t *testing.T) []addon {
	t.Helper()
	for _, object := range argo(t)["applicationsets/addons.yaml"] {
		if object.GetName() != "addons" {
			continue
		}
		text, err := yaml.Marshal(object.Object)
		if err != nil {
			t.Fatal(err)
		}
		var set struct {
			Spec struct {
				Generators []struct {
					Matrix struct {
						Generators []struct{ List struct{ Elements []addon } }
					}
				}
			}
		}
		if err := yaml.Unmarshal(text, &set); err != nil {
			t.Fatal(err)
		}
		for _, generator := range set.Spec.Generators[0].Matrix.Generators {
			if len(generator.List.Elements) > 0 {
				return generator.List.Elements
			}
		}
	}
	t.Fatal("no add-ons")
	return nil
}

func TestAddOnsArePinnedAndAllowed(t *testing.T) {
	projects := projectsOf(t)
	exact := regexp.MustCompile(`^\d+\.\d+\.\d+$`)
	seen := map[string]bool{}
	for _, addon := range addonsOf(t) {
		seen[addon.Addon] = true
		if !exact.MatchString(addon.Version) {
			t.Errorf("%s is at %q", addon.Addon, addon.Version)
		}
		if _, err := os.Stat(filepath.Join(root, "charts/argocd/addons", addon.Addon+".yaml")); err != nil {
			t.Error(err)
		}
		for _, environment := range []string{"test", "preprod", "prod"} {
			project := projects["addons-"+environment]
			if !slices.Contains(project.Spec.SourceRepos, addon.Repository) {
				t.Errorf("addons-%s does not take %s", environment, addon.Repository)
			}
			if !slices.ContainsFunc(project.Spec.Destinations, func(place struct{ Name, Namespace, Server string }) bool {
				return place.Name == "payops-"+environment && place.Namespace == addon.Namespace
			}) {
				t.Errorf("addons-%s does not reach %s", environment, addon.Namespace)
			}
		}
	}
	for _, needed := range []string{
		"aws-load-balancer-controller", "external-secrets", "argo-rollouts", "cluster-autoscaler", "metrics-server",
		"opentelemetry-collector", "datadog",
	} {
		if !seen[needed] {
			t.Errorf("%s is missing", needed)
		}
	}
	files, err := filepath.Glob(filepath.Join(root, "charts/argocd/addons/*.yaml"))
	if err != nil || len(files) != len(seen) {
		t.Errorf("%d files of values for %d add-ons, %v", len(files), len(seen), err)
	}
}

var (
	subscription = regexp.MustCompile(`notifications\.argoproj\.io/subscribe\.(on-[a-z-]+)\.slack`)
	sent         = regexp.MustCompile(`send: \[([a-z-]+)\]`)
)

// A subscription to a trigger that is not there is silence.
func TestWhatIsSubscribedToIsSent(t *testing.T) {
	read := func(file string) string {
		text, err := os.ReadFile(filepath.Join(root, "charts/argocd", file))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	settings := map[string]string{
		"Application": read("settings/argocd-notifications-cm.yaml"),
		"Rollout":     read("addons/argo-rollouts.yaml"),
	}
	subscribed := map[string]map[string]bool{"Application": {}, "Rollout": {}}
	for _, objects := range argo(t) {
		for _, object := range objects {
			text, err := yaml.Marshal(object.Object)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range subscription.FindAllStringSubmatch(string(text), -1) {
				subscribed["Application"][match[1]] = true
			}
		}
	}
	each(t, func(t *testing.T, _, _ string, objects []unstructured.Unstructured) {
		for name := range ofKind(objects, "Rollout")[0].GetAnnotations() {
			if match := subscription.FindStringSubmatch(name); match != nil {
				subscribed["Rollout"][match[1]] = true
			}
		}
	})
	for kind, needed := range map[string][]string{
		"Application": {"on-deployed", "on-sync-failed"},
		"Rollout":     {"on-rollout-aborted", "on-rollout-completed", "on-rollout-paused", "on-analysis-run-failed", "on-analysis-run-error"},
	} {
		for _, name := range needed {
			if !subscribed[kind][name] {
				t.Errorf("no %s subscribes to %s", kind, name)
			}
		}
		for name := range subscribed[kind] {
			_, rest, found := strings.Cut(settings[kind], "trigger."+name+": |\n")
			if !found {
				t.Errorf("%s is subscribed to, and nothing triggers it", name)
				continue
			}
			body, _, _ := strings.Cut(rest, "trigger.")
			match := sent.FindStringSubmatch(body)
			if match == nil || !strings.Contains(settings[kind], "template."+match[1]+": |") {
				t.Errorf("%s sends %v, and there is no such template", name, match)
			}
		}
		for _, match := range regexp.MustCompile(`/runbooks?}?}?/([a-z-]+)\.md|docs/runbooks/([a-z-]+)\.md`).FindAllStringSubmatch(settings[kind], -1) {
			if _, err := os.Stat(filepath.Join(root, "docs/runbooks", match[1]+match[2]+".md")); err != nil {
				t.Error(err)
			}
		}
	}
}

// Secrets that Argo CD and the clusters' agents read, accounts and roles that it takes, and whose tokens it trusts.
func TestArgosSettingsAreTerraforms(t *testing.T) {
	names := namesOf(t)
	key := regexp.MustCompile(`key: (?:([a-z]+)|\{\{ \.Values\.environment \}\})/payops/([a-z-]+)`)
	for _, file := range []string{
		"charts/argocd/settings/clusters.yaml", "charts/argocd/settings/secrets.yaml", "charts/cluster/templates/agent-secrets.yaml",
	} {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		matches := key.FindAllStringSubmatch(string(text), -1)
		if len(matches) == 0 {
			t.Errorf("%s reads no secret", file)
		}
		for _, match := range matches {
			secret, exists := names.Secrets[match[2]]
			if names.Controllers == nil {
				continue // names.json of a checkout without the controllers' secrets
			}
			accounts := secret.Accounts
			if accounts == nil {
				accounts = []string{"workload"}
			}
			account := "workload"
			if match[1] == "management" {
				account = "management"
			}
			if !exists || !slices.Contains(secret.Readers, "external-secrets") || !slices.Contains(accounts, account) {
				t.Errorf("%s reads %s, which Terraform makes as %+v", file, match[0], secret)
			}
		}
	}
	clusters, err := os.ReadFile(filepath.Join(root, "charts/argocd/settings/clusters.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	rbac, err := os.ReadFile(filepath.Join(root, "charts/argocd/settings/argocd-rbac-cm.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, environment := range []string{"test", "preprod", "prod"} {
		role := fmt.Sprintf(`"clusterName": "%s", "roleARN": "arn:aws:iam::%s:role/%s"`,
			names.named("cluster", environment), names.Accounts[environment].ID, names.Roles["argocd"])
		if !strings.Contains(string(clusters), role) {
			t.Errorf("no cluster has %s", role)
		}
		if subject := names.GitHub.SubPrefix + ":environment:" + environment; !strings.Contains(string(rbac), "p, "+subject+", applications, sync, payops-"+environment+"/*, allow") {
			t.Errorf("%s may not sync", subject)
		}
	}
	for _, line := range strings.Split(string(rbac), "\n") {
		fields := strings.Split(strings.TrimSpace(line), ", ")
		if len(fields) > 3 && strings.HasPrefix(fields[1], "repo:") {
			if !strings.HasPrefix(fields[1], names.GitHub.SubPrefix+":") {
				t.Errorf("%s is no token of ours", fields[1])
			}
			environment := fields[1][strings.LastIndex(fields[1], ":")+1:]
			own := "payops-" + environment
			if environment == "pull-request" {
				own = "pull-requests"
			}
			if object := fields[4]; object != own && object != own+"/*" {
				t.Errorf("%s reaches %s", fields[1], object)
			}
		}
	}
}

// What the root Application brings to management, its project takes, and each secret has a store there.
func TestManagementHasWhatItsSettingsNeed(t *testing.T) {
	platform := projectsOf(t)["platform"]
	made := map[string]bool{}
	for _, objects := range argo(t) {
		for _, object := range objects {
			made[object.GetKind()+"/"+object.GetName()] = true
			if !platform.takes(object) {
				t.Errorf("platform does not take %s/%s", object.GetKind(), object.GetName())
			}
			project, _, _ := unstructured.NestedString(object.Object, "spec", "project")
			if object.GetKind() != "Application" || project != "platform" {
				continue
			}
			sources, _, _ := unstructured.NestedSlice(object.Object, "spec", "sources")
			if source, found, _ := unstructured.NestedMap(object.Object, "spec", "source"); found {
				sources = append(sources, source)
			}
			for _, source := range sources {
				if repository := source.(map[string]any)["repoURL"].(string); !slices.Contains(platform.Spec.SourceRepos, repository) {
					t.Errorf("%s comes from %s", object.GetName(), repository)
				}
			}
			namespace, _, _ := unstructured.NestedString(object.Object, "spec", "destination", "namespace")
			if !slices.ContainsFunc(platform.Spec.Destinations, func(place struct{ Name, Namespace, Server string }) bool {
				return place.Namespace == namespace
			}) {
				t.Errorf("%s goes to %s", object.GetName(), namespace)
			}
		}
	}
	for file, objects := range argo(t) {
		for _, object := range ofKind(objects, "ExternalSecret") {
			store, found, _ := unstructured.NestedString(object.Object, "spec", "secretStoreRef", "name")
			if found && !made["ClusterSecretStore/"+store] {
				t.Errorf("%s: %s asks %s, which is not there", file, object.GetName(), store)
			}
			if object.GetAnnotations()["argocd.argoproj.io/sync-options"] != "SkipDryRunOnMissingResource=true" {
				t.Errorf("%s: the first sync stops at %s, whose kind is not there yet", file, object.GetName())
			}
		}
	}
}

// The environment of a pull request: one namespace, Terraform's names, and test's secrets.
func TestPullRequestsAreWhereTerraformMakesTheirRoles(t *testing.T) {
	names := namesOf(t)
	text, err := os.ReadFile(filepath.Join(root, "terraform/pr/main.tf"))
	if err != nil {
		t.Fatal(err)
	}
	namespace := regexp.MustCompile(`namespace\s+= "([^"]+)"`).FindStringSubmatch(string(text))
	if namespace == nil {
		t.Fatal("terraform/pr gives roles in no namespace")
	}
	want := strings.ReplaceAll(namespace[1], "${var.number}", "{{ .number }}")
	for _, set := range argo(t)["applicationsets/pull-requests.yaml"] {
		found, _, _ := unstructured.NestedString(set.Object, "spec", "template", "spec", "destination", "namespace")
		if found != want {
			t.Errorf("%s deploys to %s, the roles are for %s", set.GetName(), found, want)
		}
		project, _, _ := unstructured.NestedString(set.Object, "spec", "template", "spec", "project")
		if strings.Contains(project, "{{") || project == "" {
			t.Errorf("%s takes its project from what a pull request says: %q", set.GetName(), project)
		}
		finalizers, _, _ := unstructured.NestedStringSlice(set.Object, "spec", "template", "metadata", "finalizers")
		if !slices.Contains(finalizers, "resources-finalizer.argocd.argoproj.io") {
			t.Errorf("%s leaves behind what it made", set.GetName())
		}
	}
	for _, service := range services {
		config := configOf(t, rendered[service]["pr"])
		for name, value := range map[string]string{
			"PAYOPS_AWS_ACCOUNT":   names.Accounts["test"].ID,
			"PAYOPS_TABLE":         names.named("table", "pr-0"),
			"PAYOPS_BUCKET":        names.named("archive_bucket", "pr-0"),
			"PAYOPS_BUS":           names.named("bus", "pr-0"),
			"PAYOPS_QUEUE_PREFIX":  names.named("queue_prefix", "pr-0"),
			"PAYOPS_SECRET_PREFIX": names.named("secret_prefix", "test"),
			"PAYOPS_SEARCH_ALIAS":  "pr-0-" + names.SearchAlias,
			"PAYOPS_SEARCH_URL":    "https://search.internal." + names.named("domain", "test"),
			"PAYOPS_MAIL_FROM":     "payments@" + names.named("domain", "test"),
		} {
			if set, exists := config[name]; exists && set != value {
				t.Errorf("%s: %s is %s, Terraform makes %s", service, name, set, value)
			}
		}
	}
}

// What is asked of Datadog and CloudWatch, and what the collector keeps, is what the services count.
func TestMetricsAreWhatTheServicesCount(t *testing.T) {
	health, err := os.ReadFile(filepath.Join(root, "services/runtime/src/health.rs"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(health), `"/metrics"`) {
		t.Skip("the operations listener serves no /metrics yet: nothing that is asked for can arrive")
	}
	counted := map[string]bool{}
	metric := regexp.MustCompile(`"(payops_[a-z_]+)"`)
	for _, folder := range []string{"core/src", "services"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".rs" {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, match := range metric.FindAllStringSubmatch(string(text), -1) {
				counted[strings.TrimSuffix(match[1], "_total")] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, service := range services {
		text, err := os.ReadFile(filepath.Join(charts, service, "values.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		var values struct {
			Datadog struct{ Metrics []map[string]string }
		}
		if err := yaml.Unmarshal(text, &values); err != nil {
			t.Fatal(err)
		}
		kept := map[string]bool{}
		for _, entry := range values.Datadog.Metrics {
			for name, target := range entry {
				kept["payops."+target] = true
				if !counted[name] {
					t.Errorf("%s: %s is kept, and no service counts it", service, name)
				}
			}
		}
		for _, environment := range environments {
			for _, analysis := range analysesOf(t, rendered[service][environment]) {
				for _, asked := range analysis.Spec.Metrics {
					if asked.Provider.Datadog == nil {
						continue
					}
					for _, query := range asked.Provider.Datadog.Queries {
						name := regexp.MustCompile(`payops\.[a-z._0-9]+`).FindString(query)
						if !kept[strings.TrimSuffix(name, ".count")] {
							t.Errorf("%s asks for %s, which the agent does not keep", analysis.Name, name)
						}
					}
				}
			}
		}
	}
	collector, err := os.ReadFile(filepath.Join(root, "charts/argocd/addons/opentelemetry-collector.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	// CloudWatch tells namespaces that differ in a capital apart.
	file, err := os.ReadFile(filepath.Join(root, "terraform/modules/names/names.json"))
	if err != nil {
		t.Fatal(err)
	}
	var names struct {
		MetricNamespace string `json:"metric_namespace"`
	}
	if err := json.Unmarshal(file, &names); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(collector), "      namespace: "+names.MetricNamespace+"\n") {
		t.Errorf("the collector does not write to the namespace %s", names.MetricNamespace)
	}
	template, err := os.ReadFile(filepath.Join(charts, "payops/templates/_analysis.tpl"))
	if err != nil {
		t.Fatal(err)
	}
	asked := regexp.MustCompile(`"namespace" "([A-Za-z/]+)"`).FindAllStringSubmatch(string(template), -1)
	for _, match := range asked {
		if match[1] != names.MetricNamespace && !strings.HasPrefix(match[1], "AWS/") {
			t.Errorf("an analysis asks the namespace %s, and metrics are in %s", match[1], names.MetricNamespace)
		}
	}
	if len(asked) == 0 {
		t.Error("no analysis asks CloudWatch")
	}
	for _, match := range regexp.MustCompile(`include: (payops_[a-z_]+)`).FindAllStringSubmatch(string(collector), -1) {
		if !counted[strings.TrimSuffix(match[1], "_total")] {
			t.Errorf("the collector waits for %s, which no service counts", match[1])
		}
	}
}

// Images and charts come from the registries that Terraform makes.
func TestRegistriesAreTerraforms(t *testing.T) {
	names := namesOf(t)
	if names.Registry.Account == "" {
		t.Skip("names.json of this checkout names no registry")
	}
	host := func(account string) string {
		return names.Accounts[account].ID + ".dkr.ecr." + names.Regions["home"] + ".amazonaws.com/"
	}
	images := host(names.Registry.Account) + names.Registry.Images + "/"
	each(t, func(t *testing.T, _, _ string, objects []unstructured.Unstructured) {
		for name, pod := range podsOf(t, objects) {
			if image := pod.Spec.Containers[0].Image; !strings.HasPrefix(image, images) {
				t.Errorf("%s runs %s, not one of %s", name, image, images)
			}
		}
	})
	for file, want := range map[string]string{
		"applicationsets/environments.yaml":  host(names.Registry.Account) + names.Registry.Charts + "/",
		"applicationsets/pull-requests.yaml": host(names.Registry.PullRequest.Account) + names.Registry.PullRequest.Charts + "/",
	} {
		text, err := os.ReadFile(filepath.Join(root, "charts/argocd", file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), `"oci://`+want+`{{ .service }}"`) {
			t.Errorf("%s takes no charts from %s", file, want)
		}
	}
	text, err := os.ReadFile(filepath.Join(root, ".github/workflows/pull-request.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"account: " + names.Registry.PullRequest.Account, "images: " + names.Registry.PullRequest.Images, "charts: " + names.Registry.PullRequest.Charts,
	} {
		if !strings.Contains(string(text), "      "+line+"\n") {
			t.Errorf("the workflow of pull requests lacks %s", line)
		}
	}
}

// Every job of every workflow is in docs/delivery.md, so that it says what there is.
func TestDeliveryNamesEveryJob(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs/delivery.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, match := range regexp.MustCompile(`(?m)^\| ([a-z ]+?)(?:: ([a-z, ]+))? \|`).FindAllStringSubmatch(string(text), -1) {
		rows[match[1]] += "," + match[2]
	}
	files, err := filepath.Glob(filepath.Join(root, ".github/workflows/*.yml"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var workflow struct {
			Name string
			Jobs map[string]any
		}
		if err := yaml.Unmarshal(text, &workflow); err != nil {
			t.Fatal(err)
		}
		jobs, named := rows[workflow.Name]
		if !named {
			t.Errorf("docs/delivery.md does not name the workflow %s", workflow.Name)
			continue
		}
		var listed []string
		for _, job := range strings.Split(jobs, ",") {
			if job = strings.TrimSpace(job); job != "" {
				listed = append(listed, job)
			}
		}
		for job := range workflow.Jobs {
			if !slices.Contains(listed, job) {
				t.Errorf("docs/delivery.md does not name %s: %s", workflow.Name, job)
			}
		}
		for _, job := range listed {
			if _, exists := workflow.Jobs[job]; !exists {
				t.Errorf("docs/delivery.md names %s: %s, which there is not", workflow.Name, job)
			}
		}
	}
}
