package rendered

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	cloudwatchprovider "github.com/argoproj/argo-rollouts/metricproviders/cloudwatch"
	"github.com/argoproj/argo-rollouts/metricproviders/datadog"
	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	analysisutil "github.com/argoproj/argo-rollouts/utils/analysis"
	"github.com/argoproj/argo-rollouts/utils/evaluate"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/fake"
)

const (
	successful   = v1alpha1.AnalysisPhaseSuccessful
	failed       = v1alpha1.AnalysisPhaseFailed
	inconclusive = v1alpha1.AnalysisPhaseInconclusive
	measureError = v1alpha1.AnalysisPhaseError
)

var quiet = func() logrus.Entry {
	log := logrus.New()
	log.SetLevel(logrus.PanicLevel)
	return *logrus.NewEntry(log)
}()

// measured calls check with every metric of the charts that asks a provider of numbers.
func measured(t *testing.T, check func(t *testing.T, namespace string, metric v1alpha1.Metric)) {
	t.Helper()
	count := 0
	each(t, func(t *testing.T, service, environment string, objects []unstructured.Unstructured) {
		hash := "5f6d"
		var arguments []v1alpha1.Argument
		for _, name := range []string{"canary-hash", "stable-hash", "stable-service"} {
			arguments = append(arguments, v1alpha1.Argument{Name: name, Value: &hash})
		}
		for _, analysis := range analysesOf(t, objects) {
			if err := analysisutil.ValidateMetrics(analysis.Spec.Metrics); err != nil {
				t.Errorf("%s: %v", analysis.Name, err)
			}
			for _, metric := range analysis.Spec.Metrics {
				if metric.Provider.Job != nil {
					continue
				}
				count++
				t.Run(analysis.Name+" "+metric.Name, func(t *testing.T) {
					resolved, err := analysisutil.ResolveMetricArgs(metric, arguments)
					if err != nil {
						t.Fatal(err)
					}
					check(t, service, *resolved)
				})
			}
		}
	})
	if count == 0 {
		t.Error("no metric was looked at")
	}
}

var limitIn = regexp.MustCompile(`(<=|>=|<|>) ([0-9.]+)`)

// sides are a value on the good and one on the bad side of a metric's limit; bad is nil where nothing is.
func sides(t *testing.T, metric v1alpha1.Metric) (good float64, bad *float64) {
	t.Helper()
	// The last comparison; those before ask whether there is anything.
	matches := limitIn.FindAllStringSubmatch(metric.SuccessCondition, -1)
	if matches == nil {
		t.Fatalf("no limit in %s", metric.SuccessCondition)
	}
	match := matches[len(matches)-1]
	var limit float64
	if err := json.Unmarshal([]byte(match[2]), &limit); err != nil {
		t.Fatal(err)
	}
	below, above := limit/2, limit*2+1
	if strings.HasPrefix(match[1], "<") {
		return below, &above
	}
	if metric.FailureCondition == "false" {
		return above, nil
	}
	return above, &below
}

func text(value float64) string { return strconv.FormatFloat(value, 'f', -1, 64) }

type answer struct {
	status int
	body   string
	// silent is a server that does not answer before the provider gives up.
	silent bool
}

func column(value string) answer {
	return answer{status: 200, body: `{"data":{"attributes":{"columns":[{"values":[` + value + `]}]}}}`}
}

// ask measures once with the provider of Argo Rollouts against a server that answers as Datadog does.
func ask(t *testing.T, namespace string, metric v1alpha1.Metric, reply answer) v1alpha1.AnalysisPhase {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			Data struct {
				Type       string
				Attributes struct {
					Queries  []struct{ Name, Query, Aggregator string }
					Formulas []struct{ Formula string }
				}
			}
		}
		if r.URL.Path != "/api/v2/query/scalar" || r.Header.Get("DD-API-KEY") != "api" || r.Header.Get("DD-APPLICATION-KEY") != "app" {
			t.Errorf("%s with %v", r.URL.Path, r.Header)
		}
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil || request.Data.Type != "scalar_request" {
			t.Errorf("%v: %+v", err, request)
		}
		if len(request.Data.Attributes.Formulas) != 1 {
			t.Fatalf("%+v", request)
		}
		for _, query := range request.Data.Attributes.Queries {
			if !strings.Contains(request.Data.Attributes.Formulas[0].Formula, query.Name) {
				t.Errorf("%s is in no formula", query.Name)
			}
			if !strings.Contains(query.Query, "rollouts_pod_template_hash:5f6d") {
				t.Errorf("%s is of no version: %s", query.Name, query.Query)
			}
		}
		if reply.silent {
			// The server sees that the client went away only once it has read all of the body.
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			return
		}
		w.WriteHeader(reply.status)
		_, _ = w.Write([]byte(reply.body))
	}))
	defer server.Close()
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: namespace + "-datadog"},
		Data:       map[string][]byte{"address": []byte(server.URL), "api-key": []byte("api"), "app-key": []byte("app")},
	}
	if reply.silent {
		metric = *metric.DeepCopy()
		metric.Provider.Datadog.RequestTimeout = "50ms"
	}
	provider, err := datadog.NewDatadogProvider(quiet, fake.NewClientset(secret), namespace, metric)
	if err != nil {
		t.Fatal(err)
	}
	return provider.Run(&v1alpha1.AnalysisRun{}, metric).Phase
}

func TestDatadogsAnswers(t *testing.T) {
	measured(t, func(t *testing.T, namespace string, metric v1alpha1.Metric) {
		if metric.Provider.Datadog == nil {
			t.Skip("asks another provider")
		}
		good, bad := sides(t, metric)
		onBad := inconclusive
		badValue := good / 4
		if bad != nil {
			onBad, badValue = failed, *bad
		}
		for name, row := range map[string]struct {
			reply answer
			want  v1alpha1.AnalysisPhase
		}{
			"good":       {column(text(good)), successful},
			"bad":        {column(text(badValue)), onBad},
			"null":       {column("null"), inconclusive},
			"empty":      {column(""), inconclusive},
			"no columns": {answer{status: 200, body: `{"data":{"attributes":{"columns":[]}}}`}, inconclusive},
			"errors":     {answer{status: 200, body: `{"data":{"attributes":{"columns":[]}},"errors":"no such metric"}`}, inconclusive},
			"NaN":        {column("NaN"), measureError},
			"403":        {answer{status: 403, body: `{"errors":["Forbidden"]}`}, measureError},
			"429":        {answer{status: 429, body: `{"errors":["Rate limit"]}`}, measureError},
			"500":        {answer{status: 500}, measureError},
			"time-out":   {answer{silent: true}, measureError},
		} {
			if phase := ask(t, namespace, metric, row.reply); phase != row.want {
				t.Errorf("%s ends %s, not %s", name, phase, row.want)
			}
		}
	})
}

type series struct{ results []types.MetricDataResult }

func (s series) Query(time.Duration, []types.MetricDataQuery) (*cloudwatch.GetMetricDataOutput, error) {
	return &cloudwatch.GetMetricDataOutput{MetricDataResults: s.results}, nil
}

func askSeries(metric v1alpha1.Metric, results ...types.MetricDataResult) v1alpha1.AnalysisPhase {
	provider := cloudwatchprovider.NewCloudWatchProvider(series{results}, quiet)
	return provider.Run(&v1alpha1.AnalysisRun{}, metric).Phase
}

func TestCloudWatchsAnswers(t *testing.T) {
	measured(t, func(t *testing.T, _ string, metric v1alpha1.Metric) {
		if metric.Provider.CloudWatch == nil {
			t.Skip("asks another provider")
		}
		good, bad := sides(t, metric)
		values := func(values ...float64) types.MetricDataResult { return types.MetricDataResult{Values: values} }
		for name, row := range map[string]struct {
			results []types.MetricDataResult
			want    v1alpha1.AnalysisPhase
		}{
			"good":           {[]types.MetricDataResult{values(good, good, 0)}, successful},
			"bad":            {[]types.MetricDataResult{values(*bad, *bad)}, failed},
			"one bad of two": {[]types.MetricDataResult{values(good, *bad)}, failed},
			"no values":      {[]types.MetricDataResult{values()}, inconclusive},
			"no results":     {[]types.MetricDataResult{}, inconclusive},
			// CloudWatch answers every query; without its list the answer is none.
			"no list": {nil, measureError},
		} {
			if phase := askSeries(metric, row.results...); phase != row.want {
				t.Errorf("%s ends %s, not %s", name, phase, row.want)
			}
		}
	})
}

// blind says whether a metric takes missing data for good.
func blind(metric v1alpha1.Metric) bool {
	var nothing *float64
	for _, missing := range []any{nothing, []types.MetricDataResult{}, []types.MetricDataResult{{}}} {
		phase, _ := evaluate.EvaluateResult(missing, metric, quiet)
		if phase == successful {
			return true
		}
	}
	return false
}

func TestNoMetricPassesWithoutData(t *testing.T) {
	measured(t, func(t *testing.T, _ string, metric v1alpha1.Metric) {
		if blind(metric) {
			t.Errorf("%s passes without data", metric.SuccessCondition)
		}
	})
	for _, condition := range []string{
		"default(result, 0) < 0.05",
		"all(result[0].Values, {# <= 5})",
		"isNil(result) || default(result, 0) < 0.05",
	} {
		if !blind(v1alpha1.Metric{SuccessCondition: condition}) {
			t.Errorf("the planted %s was not found", condition)
		}
	}
}

func TestErrorsDoNotAddUpToSuccess(t *testing.T) {
	measured(t, func(t *testing.T, _ string, metric v1alpha1.Metric) {
		successes, count := metric.ConsecutiveSuccessLimit.IntValue(), metric.Count.IntValue()
		if successes < 2 || count < successes || metric.FailureLimit.IntValue() > 2 {
			t.Errorf("%d successes in a row of %d, %d failures", successes, count, metric.FailureLimit.IntValue())
		}
		if metric.InconclusiveLimit == nil || metric.ConsecutiveErrorLimit == nil || metric.Interval == "" || metric.InitialDelay == "" {
			t.Errorf("%s has no limit or no pace", metric.Name)
		}
	})
}
