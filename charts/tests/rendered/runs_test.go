package rendered

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/argoproj/argo-rollouts/analysis"
	"github.com/argoproj/argo-rollouts/controller/metrics"
	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	argofake "github.com/argoproj/argo-rollouts/pkg/client/clientset/versioned/fake"
	argoinformers "github.com/argoproj/argo-rollouts/pkg/client/informers/externalversions"
	analysisutil "github.com/argoproj/argo-rollouts/utils/analysis"
	"github.com/argoproj/argo-rollouts/utils/queue"
	"github.com/argoproj/argo-rollouts/utils/record"
	timeutil "github.com/argoproj/argo-rollouts/utils/time"
	"github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kubeinformers "k8s.io/client-go/informers"
	kubefake "k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/util/workqueue"
)

// haste is how much faster than the test's the controller's clock goes.
const haste = 600

// A whole analysis by the controller of Argo Rollouts: not one measurement, but what the rollout is told in the end.
func TestWhatAWholeAnalysisEndsIn(t *testing.T) {
	logrus.SetLevel(logrus.PanicLevel)
	var template *v1alpha1.AnalysisTemplate
	for _, candidate := range analysesOf(t, rendered["payments-api"]["prod"]) {
		if candidate.Name == "payments-api-business" {
			template = &candidate
		}
	}
	if template == nil {
		t.Fatal("no template payments-api-business")
	}
	good, bad := sides(t, template.Spec.Metrics[0])
	goodBody, badBody := column(text(good)), column(text(*bad))
	cases := map[string]struct {
		// replies are given in turn, and the last one from then on.
		replies []answer
		want    v1alpha1.AnalysisPhase
	}{
		"good":               {[]answer{goodBody}, successful},
		"bad":                {[]answer{badBody}, failed},
		"bad-once":           {[]answer{goodBody, badBody, goodBody}, successful},
		"bad-twice":          {[]answer{goodBody, badBody, goodBody, badBody, goodBody}, failed},
		"null":               {[]answer{column("null")}, inconclusive},
		"empty":              {[]answer{column("")}, inconclusive},
		"no-columns":         {[]answer{{status: 200, body: `{"data":{"attributes":{"columns":[]}}}`}}, inconclusive},
		"gap-of-three":       {[]answer{goodBody, column("null"), column("null"), goodBody}, successful},
		"forbidden":          {[]answer{{status: 403}}, measureError},
		"too-many-requests":  {[]answer{{status: 429}}, measureError},
		"server-error":       {[]answer{{status: 500}}, measureError},
		"not-json":           {[]answer{column("NaN")}, measureError},
		"error-then-good":    {[]answer{{status: 500}, {status: 429}, goodBody}, successful},
		"good-then-silent":   {[]answer{goodBody, goodBody, column("null")}, inconclusive},
		"good-and-bad-turns": {[]answer{goodBody, goodBody, goodBody, badBody, goodBody, column("null"), badBody}, failed},
	}

	started := time.Now()
	timeutil.SetNowTimeFunc(func() time.Time { return started.Add(time.Since(started) * haste) })
	defer timeutil.SetNowTimeFunc(time.Now)

	var secrets, runs []runtime.Object
	for name, row := range cases {
		server := replying(row.replies)
		defer server.Close()
		secrets = append(secrets, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "payments-api-datadog"},
			Data:       map[string][]byte{"address": []byte(server.URL), "api-key": []byte("api"), "app-key": []byte("app")},
		})
		hash := "5f6d"
		arguments := []v1alpha1.Argument{{Name: "canary-hash", Value: &hash}, {Name: "stable-hash", Value: &hash}}
		run, err := analysisutil.NewAnalysisRunFromTemplates(
			[]*v1alpha1.AnalysisTemplate{template}, nil, arguments, nil, nil, nil, nil, name, "", name)
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, run)
	}

	argo, kube := argofake.NewSimpleClientset(runs...), kubefake.NewClientset(secrets...)
	argoInformers, kubeInformers := argoinformers.NewSharedInformerFactory(argo, 0), kubeinformers.NewSharedInformerFactory(kube, 0)
	work := workqueue.NewNamedRateLimitingQueue(queue.DefaultArgoRolloutsRateLimiter(), "AnalysisRuns")
	controller := analysis.NewController(analysis.ControllerConfig{
		KubeClientSet:        kube,
		ArgoProjClientset:    argo,
		AnalysisRunInformer:  argoInformers.Argoproj().V1alpha1().AnalysisRuns(),
		JobInformer:          kubeInformers.Batch().V1().Jobs(),
		JobPodsInformer:      kubeInformers.Core().V1().Pods(),
		AnalysisRunWorkQueue: work,
		MetricsServer:        metrics.NewMetricsServer(metrics.ServerConfig{K8SRequestProvider: &metrics.K8sRequestsCountProvider{}}),
		Recorder:             record.NewFakeEventRecorder(),
	})
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	argoInformers.Start(ctx.Done())
	kubeInformers.Start(ctx.Done())
	argoInformers.WaitForCacheSync(ctx.Done())
	kubeInformers.WaitForCacheSync(ctx.Done())
	go func() { _ = controller.Run(ctx, 4) }()

	ended := map[string]v1alpha1.AnalysisPhase{}
	for deadline := time.Now().Add(90 * time.Second); len(ended) < len(cases) && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		for name := range cases {
			if ended[name] != "" {
				continue
			}
			run, err := argo.ArgoprojV1alpha1().AnalysisRuns(name).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if run.Status.Phase.Completed() {
				ended[name] = run.Status.Phase
				continue
			}
			// The controller asks to be woken by its own clock's time; this one goes slower.
			work.Add(name + "/" + name)
		}
	}
	for name, row := range cases {
		if ended[name] != row.want {
			t.Errorf("%s ends %q, not %s", name, ended[name], row.want)
		}
	}
}

func replying(replies []answer) *httptest.Server {
	turns := make(chan answer, len(replies))
	for _, reply := range replies {
		turns <- reply
	}
	last := replies[len(replies)-1]
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reply := last
		select {
		case reply = <-turns:
		default:
		}
		w.WriteHeader(reply.status)
		_, _ = w.Write([]byte(reply.body))
	}))
}
