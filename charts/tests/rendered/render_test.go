// Package rendered looks at what the charts render for every environment, with the code of Argo Rollouts and
// of Kubernetes where theirs is the judgement that counts.
package rendered

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

var (
	services     = []string{"payments-api", "payments-worker", "notifier"}
	environments = []string{"pr", "test", "preprod", "prod"}
	protected    = []string{"preprod", "prod"}

	// charts is a copy of charts/ with the library packed into each chart.
	charts string
	root   string
	// objects by service and environment.
	rendered = map[string]map[string][]unstructured.Unstructured{}
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	here, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	root = filepath.Join(here, "..", "..", "..")
	scratch, err := os.MkdirTemp("", "charts")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(scratch)
	charts = filepath.Join(scratch, "charts")
	if err := os.CopyFS(charts, os.DirFS(filepath.Join(root, "charts"))); err != nil {
		return 0, err
	}
	for _, service := range services {
		if _, err := helm("dependency", "update", filepath.Join(charts, service)); err != nil {
			return 0, err
		}
		rendered[service] = map[string][]unstructured.Unstructured{}
		for _, environment := range environments {
			text, err := template(service, environment)
			if err != nil {
				return 0, err
			}
			if rendered[service][environment], err = parse(text); err != nil {
				return 0, fmt.Errorf("%s in %s: %w", service, environment, err)
			}
		}
	}
	return m.Run(), nil
}

func helm(arguments ...string) ([]byte, error) {
	program := os.Getenv("HELM")
	if program == "" {
		program = "helm"
	}
	command := exec.Command(program, arguments...)
	var out, talk bytes.Buffer
	command.Stdout, command.Stderr = &out, &talk
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("helm %v: %w: %s", arguments, err, talk.String())
	}
	return out.Bytes(), nil
}

func template(service, environment string, more ...string) ([]byte, error) {
	chart := filepath.Join(charts, service)
	arguments := []string{
		"template", service, chart, "--namespace", service, "--kube-version", "1.34",
		"--values", filepath.Join(chart, "values", environment+".yaml"),
	}
	return helm(append(arguments, more...)...)
}

func parse(text []byte) ([]unstructured.Unstructured, error) {
	var objects []unstructured.Unstructured
	for _, part := range bytes.Split(text, []byte("\n---")) {
		object := unstructured.Unstructured{}
		if err := yaml.Unmarshal(part, &object.Object); err != nil {
			return nil, err
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
	return objects, nil
}

// each runs check for every service in every environment.
func each(t *testing.T, check func(t *testing.T, service, environment string, objects []unstructured.Unstructured)) {
	t.Helper()
	for _, service := range services {
		for _, environment := range environments {
			t.Run(service+" in "+environment, func(t *testing.T) {
				check(t, service, environment, rendered[service][environment])
			})
		}
	}
}

func ofKind(objects []unstructured.Unstructured, kind string) []unstructured.Unstructured {
	return slices.DeleteFunc(slices.Clone(objects), func(object unstructured.Unstructured) bool {
		return object.GetKind() != kind
	})
}

// as reads an object as the type that its controller reads it as; a field that it does not know is an error.
func as[T any](t *testing.T, object unstructured.Unstructured) T {
	t.Helper()
	var typed T
	text, err := yaml.Marshal(object.Object)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, &typed); err != nil {
		t.Fatalf("%s/%s: %v", object.GetKind(), object.GetName(), err)
	}
	return typed
}

func rolloutOf(t *testing.T, objects []unstructured.Unstructured) v1alpha1.Rollout {
	t.Helper()
	rollouts := ofKind(objects, "Rollout")
	if len(rollouts) != 1 {
		t.Fatalf("%d rollouts", len(rollouts))
	}
	return as[v1alpha1.Rollout](t, rollouts[0])
}

func analysesOf(t *testing.T, objects []unstructured.Unstructured) []v1alpha1.AnalysisTemplate {
	t.Helper()
	var templates []v1alpha1.AnalysisTemplate
	for _, object := range ofKind(objects, "AnalysisTemplate") {
		templates = append(templates, as[v1alpha1.AnalysisTemplate](t, object))
	}
	return templates
}

// podsOf are the pods that the objects make: of the rollout, of jobs, and of the jobs of analyses.
func podsOf(t *testing.T, objects []unstructured.Unstructured) map[string]corev1.PodTemplateSpec {
	t.Helper()
	pods := map[string]corev1.PodTemplateSpec{}
	rollout := rolloutOf(t, objects)
	pods["Rollout/"+rollout.Name] = rollout.Spec.Template
	for _, object := range ofKind(objects, "Job") {
		job := as[batchv1.Job](t, object)
		pods["Job/"+job.Name] = job.Spec.Template
	}
	for _, analysis := range analysesOf(t, objects) {
		for _, metric := range analysis.Spec.Metrics {
			if metric.Provider.Job != nil {
				pods["AnalysisTemplate/"+analysis.Name] = metric.Provider.Job.Spec.Template
			}
		}
	}
	return pods
}
