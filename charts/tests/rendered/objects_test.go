package rendered

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/validation"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	psa "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

var digest = regexp.MustCompile(`^[a-z0-9.-]+(/[a-z0-9._-]+)+@sha256:[0-9a-f]{64}$`)

func TestImagesAreDigestsInPreprodAndProd(t *testing.T) {
	each(t, func(t *testing.T, _, environment string, objects []unstructured.Unstructured) {
		if !slices.Contains(protected, environment) {
			t.Skip("only where a release goes")
		}
		for name, pod := range podsOf(t, objects) {
			for _, container := range pod.Spec.Containers {
				if !digest.MatchString(container.Image) {
					t.Errorf("%s runs %s", name, container.Image)
				}
			}
		}
	})
}

func TestATagIsRefusedInPreprodAndProd(t *testing.T) {
	tagged := []string{"--set", "image.digest=", "--set", "image.tag=1.2.3"}
	for _, service := range services {
		for _, environment := range protected {
			if _, err := template(service, environment, tagged...); err == nil {
				t.Errorf("%s in %s: the schema takes a tag", service, environment)
			}
			if _, err := template(service, environment, append(tagged, "--skip-schema-validation")...); err == nil {
				t.Errorf("%s in %s: the template takes a tag", service, environment)
			}
			both := []string{"--set", "image.tag=1.2.3"}
			if _, err := template(service, environment, both...); err == nil {
				t.Errorf("%s in %s: the schema takes a tag beside a digest", service, environment)
			}
		}
		if _, err := template(service, "test", tagged...); err != nil {
			t.Errorf("%s in test, where a tag is well: %v", service, err)
		}
	}
	smoke := []string{"--set", "analysis.smoke.image.digest=", "--set", "analysis.smoke.image.tag=1"}
	if _, err := template("payments-api", "prod", smoke...); err == nil {
		t.Error("the smoke test's image takes a tag")
	}
}

// The checks that the controller makes of a rollout before it touches anything.
func TestRolloutsAreValid(t *testing.T) {
	each(t, func(t *testing.T, _, _ string, objects []unstructured.Unstructured) {
		rollout := rolloutOf(t, objects)
		if rollout.Spec.Replicas == nil {
			rollout.Spec.Replicas = new(int32)
		}
		for _, problem := range validation.ValidateRollout(&rollout) {
			t.Error(problem)
		}
	})
}

func TestStepsAskForAnalysesThatExist(t *testing.T) {
	each(t, func(t *testing.T, service, environment string, objects []unstructured.Unstructured) {
		templates := map[string]v1alpha1.AnalysisTemplate{}
		for _, analysis := range analysesOf(t, objects) {
			templates[analysis.Name] = analysis
		}
		used := map[string]bool{}
		for _, step := range rolloutOf(t, objects).Spec.Strategy.Canary.Steps {
			if step.Analysis == nil {
				continue
			}
			given := map[string]bool{}
			for _, argument := range step.Analysis.Args {
				given[argument.Name] = true
			}
			for _, reference := range step.Analysis.Templates {
				analysis, exists := templates[reference.TemplateName]
				if !exists {
					t.Errorf("no template %s", reference.TemplateName)
				}
				used[reference.TemplateName] = true
				for _, argument := range analysis.Spec.Args {
					if argument.Value == nil && argument.ValueFrom == nil && !given[argument.Name] {
						t.Errorf("%s needs %s", reference.TemplateName, argument.Name)
					}
				}
			}
		}
		for name := range templates {
			if !used[name] && environment != "pr" {
				t.Errorf("%s is in no step", name)
			}
		}
		if slices.Contains(protected, environment) && len(used) < 2 {
			t.Errorf("%s has %d analyses", service, len(used))
		}
	})
}

func TestConsumersTakeTheirShareByPods(t *testing.T) {
	for _, service := range []string{"payments-worker", "notifier"} {
		for _, environment := range protected {
			objects := rendered[service][environment]
			canary := rolloutOf(t, objects).Spec.Strategy.Canary
			if canary.TrafficRouting != nil {
				t.Errorf("%s in %s: no router divides a queue", service, environment)
			}
			for _, step := range canary.Steps {
				if step.SetCanaryScale != nil {
					t.Errorf("%s in %s: setCanaryScale makes the weight a lie", service, environment)
				}
				if step.SetWeight != nil && *step.SetWeight < 20 {
					t.Errorf("%s in %s: %d %% of five pods is none", service, environment, *step.SetWeight)
				}
			}
			for _, scaler := range ofKind(objects, "HorizontalPodAutoscaler") {
				least, _, _ := unstructured.NestedInt64(scaler.Object, "spec", "minReplicas")
				if f, found, _ := unstructured.NestedFloat64(scaler.Object, "spec", "minReplicas"); found {
					least = int64(f)
				}
				if least < 5 {
					t.Errorf("%s in %s: %d pods cannot be divided", service, environment, least)
				}
			}
		}
	}
}

func TestLoadBalancersFollowPingAndPong(t *testing.T) {
	for _, environment := range append([]string{"test"}, protected...) {
		objects := rendered["payments-api"][environment]
		canary := rolloutOf(t, objects).Spec.Strategy.Canary
		alb := canary.TrafficRouting.ALB
		if canary.PingPong == nil || alb.RootService != "payments-api-root" || canary.DynamicStableScale {
			t.Errorf("%s: %+v", environment, canary)
		}
		var names []string
		for _, object := range ofKind(objects, "Ingress") {
			ingress := as[networkingv1.Ingress](t, object)
			names = append(names, ingress.Name)
			if ingress.Annotations["alb.ingress.kubernetes.io/target-type"] != "ip" {
				t.Errorf("%s: readiness gates need target-type ip", ingress.Name)
			}
			for _, path := range ingress.Spec.Rules[0].HTTP.Paths {
				backend := path.Backend.Service
				if backend.Name != alb.RootService || backend.Port.Name != "use-annotation" {
					t.Errorf("%s: %s goes to %+v", ingress.Name, path.Path, backend)
				}
				if path.Path == "/" || strings.Contains(path.Path, "metrics") {
					t.Errorf("%s lets %s in", ingress.Name, path.Path)
				}
			}
		}
		if want := []string{"payments-api-internal", "payments-api-public"}; !slices.Equal(alb.Ingresses, want) ||
			!slices.Equal(slices.Sorted(slices.Values(names)), want) {
			t.Errorf("%s: rollout has %v, objects are %v", environment, alb.Ingresses, names)
		}
		for _, service := range []string{"root", "ping", "pong", "beside-ping", "beside-pong"} {
			if !slices.ContainsFunc(ofKind(objects, "Service"), func(object unstructured.Unstructured) bool {
				return object.GetName() == "payments-api-"+service
			}) {
				t.Errorf("%s: no service %s", environment, service)
			}
		}
	}
}

func restricted(pod corev1.PodTemplateSpec) (string, error) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks())
	if err != nil {
		return "", err
	}
	level := psa.LevelVersion{Level: psa.LevelRestricted, Version: psa.LatestVersion()}
	meta := pod.ObjectMeta
	var reasons []string
	for _, result := range evaluator.EvaluatePod(level, &meta, &pod.Spec) {
		if !result.Allowed {
			reasons = append(reasons, result.ForbiddenReason+": "+result.ForbiddenDetail)
		}
	}
	return strings.Join(reasons, "; "), nil
}

func TestPodsMeetTheRestrictedStandard(t *testing.T) {
	each(t, func(t *testing.T, _, _ string, objects []unstructured.Unstructured) {
		for name, pod := range podsOf(t, objects) {
			reasons, err := restricted(pod)
			if err != nil {
				t.Fatal(err)
			}
			if reasons != "" {
				t.Errorf("%s: %s", name, reasons)
			}
			for _, container := range pod.Spec.Containers {
				context := container.SecurityContext
				if context == nil || context.ReadOnlyRootFilesystem == nil || !*context.ReadOnlyRootFilesystem {
					t.Errorf("%s: the root of %s can be written to", name, container.Name)
				}
			}
			if mount := pod.Spec.AutomountServiceAccountToken; mount == nil || *mount {
				t.Errorf("%s: a token of the API is mounted", name)
			}
		}
	})
}

func TestARootContainerIsRefused(t *testing.T) {
	pod := rolloutOf(t, rendered["notifier"]["prod"]).Spec.Template
	zero := int64(0)
	pod.Spec.Containers[0].SecurityContext.RunAsUser = &zero
	if reasons, err := restricted(pod); err != nil || !strings.Contains(reasons, "runAsUser") {
		t.Errorf("%q, %v", reasons, err)
	}
}

// Selectors are where a chart goes wrong in silence.
func TestSelectorsMatchTheirPods(t *testing.T) {
	each(t, func(t *testing.T, service, _ string, objects []unstructured.Unstructured) {
		pods := podsOf(t, objects)
		matches := func(selector map[string]string) int {
			count := 0
			for _, pod := range pods {
				if labels.SelectorFromSet(selector).Matches(labels.Set(pod.Labels)) {
					count++
				}
			}
			return count
		}
		for _, object := range ofKind(objects, "Service") {
			typed := as[corev1.Service](t, object)
			if typed.Spec.Type != corev1.ServiceTypeExternalName && matches(typed.Spec.Selector) != 1 {
				t.Errorf("Service/%s matches %d kinds of pods", typed.Name, matches(typed.Spec.Selector))
			}
		}
		for _, object := range ofKind(objects, "PodDisruptionBudget") {
			typed := as[policyv1.PodDisruptionBudget](t, object)
			if matches(typed.Spec.Selector.MatchLabels) != 1 {
				t.Errorf("PodDisruptionBudget/%s matches nothing, or too much", typed.Name)
			}
		}
		denied := map[string]bool{}
		for _, object := range ofKind(objects, "NetworkPolicy") {
			typed := as[networkingv1.NetworkPolicy](t, object)
			if matches(typed.Spec.PodSelector.MatchLabels) != 1 {
				t.Errorf("NetworkPolicy/%s matches %d kinds of pods", typed.Name, matches(typed.Spec.PodSelector.MatchLabels))
			}
			if slices.Contains(typed.Spec.PolicyTypes, networkingv1.PolicyTypeIngress) &&
				slices.Contains(typed.Spec.PolicyTypes, networkingv1.PolicyTypeEgress) {
				for name, pod := range pods {
					if labels.SelectorFromSet(typed.Spec.PodSelector.MatchLabels).Matches(labels.Set(pod.Labels)) {
						denied[name] = true
					}
				}
			}
		}
		for name := range pods {
			if !denied[name] {
				t.Errorf("%s may talk to anybody", name)
			}
		}
		monitor := ofKind(objects, "ServiceMonitor")[0]
		wanted, _, _ := unstructured.NestedStringMap(monitor.Object, "spec", "selector", "matchLabels")
		found := 0
		for _, object := range ofKind(objects, "Service") {
			if labels.SelectorFromSet(wanted).Matches(labels.Set(object.GetLabels())) {
				found++
			}
		}
		if found != 1 {
			t.Errorf("the monitor of %s scrapes %d services", service, found)
		}
	})
}

func TestProbesAreOnTheOperationsListener(t *testing.T) {
	health, err := os.ReadFile(filepath.Join(root, "services/runtime/src/health.rs"))
	if err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, _, _ string, objects []unstructured.Unstructured) {
		container := rolloutOf(t, objects).Spec.Template.Spec.Containers[0]
		for kind, probe := range map[string]*corev1.Probe{
			"startup": container.StartupProbe, "liveness": container.LivenessProbe, "readiness": container.ReadinessProbe,
		} {
			if probe == nil || probe.HTTPGet == nil {
				t.Fatalf("no %s probe", kind)
			}
			if probe.HTTPGet.Port.StrVal != "operations" {
				t.Errorf("the %s probe asks %s", kind, probe.HTTPGet.Port.String())
			}
			if !strings.Contains(string(health), `"`+probe.HTTPGet.Path+`"`) {
				t.Errorf("the listener does not serve %s", probe.HTTPGet.Path)
			}
		}
	})
}

func TestGraceIsLongerThanShutdown(t *testing.T) {
	each(t, func(t *testing.T, _, _ string, objects []unstructured.Unstructured) {
		config := configOf(t, objects)
		sum := seconds(t, config["PAYOPS_DRAIN"])
		if delay, set := config["PAYOPS_SHUTDOWN_DELAY"]; set {
			// Requests and then the loops are each waited for.
			sum = seconds(t, delay) + 2*sum
		}
		grace := *rolloutOf(t, objects).Spec.Template.Spec.TerminationGracePeriodSeconds
		if grace <= sum {
			t.Errorf("%d s of grace for %d s of shutdown", grace, sum)
		}
	})
}

// A hook of Argo CD brings what it needs: nothing of the release is there before the first sync.
func TestMigrationStandsAlone(t *testing.T) {
	for _, environment := range environments {
		objects := rendered["payments-api"][environment]
		hooks := map[string]bool{}
		for _, object := range objects {
			if object.GetAnnotations()["argocd.argoproj.io/hook"] == "PreSync" {
				hooks[object.GetKind()+"/"+object.GetName()] = true
			}
			for name := range object.GetAnnotations() {
				if strings.HasPrefix(name, "helm.sh/hook") {
					t.Errorf("%s: Argo CD ignores every Helm hook where one of its own is", object.GetName())
				}
			}
		}
		pod := podsOf(t, objects)["Job/payments-api-migrate"]
		if !hooks["ServiceAccount/"+pod.Spec.ServiceAccountName] || !hooks["Job/payments-api-migrate"] ||
			!hooks["NetworkPolicy/payments-api-migrate"] {
			t.Errorf("%s: hooks are %v", environment, hooks)
		}
		if len(pod.Spec.Containers[0].EnvFrom) != 0 || len(pod.Spec.Containers[0].Env) == 0 {
			t.Errorf("%s: the job reads a ConfigMap that a later step makes", environment)
		}
	}
}

func TestMeshIsAnOption(t *testing.T) {
	for _, service := range services {
		for _, kind := range []string{"PeerAuthentication", "DestinationRule"} {
			if len(ofKind(rendered[service]["prod"], kind)) != 0 {
				t.Errorf("%s has a %s without a mesh", service, kind)
			}
		}
		text, err := template(service, "prod", "--set", "mesh.enabled=true")
		if err != nil {
			t.Fatal(err)
		}
		objects, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		strict := ofKind(objects, "PeerAuthentication")
		if len(strict) != 1 {
			t.Fatalf("%s: %d PeerAuthentications", service, len(strict))
		}
		if mode, _, _ := unstructured.NestedString(strict[0].Object, "spec", "mtls", "mode"); mode != "STRICT" {
			t.Errorf("%s: mTLS is %s", service, mode)
		}
		rules := ofKind(objects, "DestinationRule")
		if service == "payments-api" && len(rules) != 3 {
			t.Errorf("%d DestinationRules", len(rules))
		}
		for _, rule := range rules {
			ejection, found, _ := unstructured.NestedString(rule.Object, "spec", "trafficPolicy", "outlierDetection", "baseEjectionTime")
			if !found || ejection == "" {
				t.Errorf("%s breaks no circuit", rule.GetName())
			}
		}
	}
}

func TestNamesAndLabelsAreWellFormed(t *testing.T) {
	each(t, func(t *testing.T, service, _ string, objects []unstructured.Unstructured) {
		seen := map[string]bool{}
		for _, object := range objects {
			key := object.GetKind() + "/" + object.GetName()
			if seen[key] {
				t.Errorf("%s twice", key)
			}
			seen[key] = true
			if object.GetNamespace() != service {
				t.Errorf("%s is in %q", key, object.GetNamespace())
			}
			if object.GetLabels()["app.kubernetes.io/name"] == "" {
				t.Errorf("%s belongs to nobody", key)
			}
			for label, value := range object.GetLabels() {
				if len(value) > 63 {
					t.Errorf("%s: label %s is too long", key, label)
				}
			}
			if _, err := metav1.LabelSelectorAsSelector(&metav1.LabelSelector{MatchLabels: object.GetLabels()}); err != nil {
				t.Errorf("%s: %v", key, err)
			}
		}
	})
}
