package rendered

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// variables of the services, as their code declares them.
type variable struct{ required bool }

var declaration = regexp.MustCompile(`Variable::(required|default|optional)\(\s*"([A-Z_]+)"`)

// table reads one table of variables out of a Rust file.
func table(t *testing.T, file, name string) map[string]variable {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "const "+name+": &[Variable] = &[")
	if !found {
		t.Fatalf("%s has no table %s", file, name)
	}
	body, _, _ := strings.Cut(rest, "];")
	variables := map[string]variable{}
	for _, match := range declaration.FindAllStringSubmatch(body, -1) {
		variables[match[2]] = variable{required: match[1] == "required"}
	}
	if len(variables) == 0 {
		t.Fatalf("%s: nothing read from %s", file, name)
	}
	return variables
}

// read are the variables that a service reads.
func read(t *testing.T, service string) map[string]variable {
	t.Helper()
	shared := "services/runtime/src/settings.rs"
	tables := map[string][][2]string{
		"payments-api": {
			{shared, "COMMON"}, {shared, "DISPATCH"}, {shared, "PROVIDER"}, {shared, "CONSUME"},
			{"services/payments/src/bin/payops-payments/config.rs", "PAYMENTS"},
		},
		"payments-worker": {{shared, "COMMON"}, {shared, "DISPATCH"}, {shared, "PROVIDER"}, {shared, "CONSUME"}},
		"notifier":        {{shared, "COMMON"}, {shared, "CONSUME"}, {"services/notifier/src/main.rs", "MAIL"}},
	}
	all := map[string]variable{}
	for _, place := range tables[service] {
		for name, variable := range table(t, place[0], place[1]) {
			all[name] = variable
		}
	}
	return all
}

func configOf(t *testing.T, objects []unstructured.Unstructured) map[string]string {
	t.Helper()
	container := rolloutOf(t, objects).Spec.Template.Spec.Containers[0]
	if len(container.Env) != 0 || len(container.EnvFrom) != 1 {
		t.Fatalf("the environment is %+v and %+v", container.Env, container.EnvFrom)
	}
	for _, object := range ofKind(objects, "ConfigMap") {
		config := as[corev1.ConfigMap](t, object)
		if config.Name == container.EnvFrom[0].ConfigMapRef.Name {
			if config.Immutable == nil || !*config.Immutable {
				t.Errorf("%s can change under a pod", config.Name)
			}
			return config.Data
		}
	}
	t.Fatal("the pod reads a ConfigMap that is not there")
	return nil
}

func seconds(t *testing.T, text string) int64 {
	t.Helper()
	number, err := strconv.ParseInt(strings.TrimSuffix(text, "s"), 10, 64)
	if err != nil {
		t.Fatalf("%q is not a number of seconds", text)
	}
	return number
}

func TestNothingIsSetThatNoServiceReadsAndNothingRequiredIsMissing(t *testing.T) {
	each(t, func(t *testing.T, service, _ string, objects []unstructured.Unstructured) {
		known := read(t, service)
		config := configOf(t, objects)
		for name, value := range config {
			if _, exists := known[name]; !exists {
				t.Errorf("%s is set, and nothing reads it", name)
			}
			if strings.TrimSpace(value) == "" || strings.Contains(value, "{{") {
				t.Errorf("%s is %q", name, value)
			}
		}
		for name, variable := range known {
			if variable.required && config[name] == "" {
				t.Errorf("%s is required and not set", name)
			}
		}
		if config["PAYOPS_AWS_ENDPOINT"] != "" {
			t.Error("PAYOPS_AWS_ENDPOINT leads to an emulator")
		}
		for _, job := range ofKind(objects, "Job") {
			containers, _, _ := unstructured.NestedSlice(job.Object, "spec", "template", "spec", "containers")
			for _, entry := range containers[0].(map[string]any)["env"].([]any) {
				if name := entry.(map[string]any)["name"].(string); known[name] == (variable{}) {
					if _, exists := known[name]; !exists {
						t.Errorf("the migration sets %s", name)
					}
				}
			}
		}
	})
}

// The schema is what a typing mistake in a values file meets first.
func TestSchemasKnowWhatTheServicesRead(t *testing.T) {
	made := []string{"PAYOPS_LISTEN", "PAYOPS_HEALTH_LISTEN", "PAYOPS_AWS_ENDPOINT"}
	var definitions []string
	for _, service := range services {
		text, err := os.ReadFile(filepath.Join(charts, service, "values.schema.json"))
		if err != nil {
			t.Fatal(err)
		}
		var schema struct {
			Properties struct {
				Config struct {
					Properties map[string]any
				}
			}
			Definitions json.RawMessage
		}
		if err := json.Unmarshal(text, &schema); err != nil {
			t.Fatal(err)
		}
		definitions = append(definitions, string(schema.Definitions))
		known := read(t, service)
		for name := range schema.Properties.Config.Properties {
			if _, exists := known[name]; !exists {
				t.Errorf("the schema of %s has %s, which nothing reads", service, name)
			}
		}
		for name := range known {
			if _, exists := schema.Properties.Config.Properties[name]; !exists && !slices.Contains(made, name) {
				t.Errorf("the schema of %s lacks %s", service, name)
			}
		}
	}
	if definitions[0] != definitions[1] || definitions[1] != definitions[2] {
		t.Error("the schemas' definitions have drifted apart")
	}
}

func TestListenersAreThePortsOfTheContainer(t *testing.T) {
	each(t, func(t *testing.T, service, _ string, objects []unstructured.Unstructured) {
		config := configOf(t, objects)
		want := map[string]string{"operations": config["PAYOPS_HEALTH_LISTEN"]}
		if service == "payments-api" {
			want["http"] = config["PAYOPS_LISTEN"]
		}
		ports := rolloutOf(t, objects).Spec.Template.Spec.Containers[0].Ports
		if len(ports) != len(want) {
			t.Errorf("ports are %v", ports)
		}
		for _, port := range ports {
			if want[port.Name] != "0.0.0.0:"+strconv.Itoa(int(port.ContainerPort)) {
				t.Errorf("%s is %d, and the service listens on %q", port.Name, port.ContainerPort, want[port.Name])
			}
		}
	})
}

// Names are Terraform's: what it makes is what the services are told to use.
func TestNamesAreTerraforms(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "terraform/modules/names/names.json"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("terraform/modules/names/names.json is not in this checkout")
	}
	if err != nil {
		t.Fatal(err)
	}
	var names struct {
		Regions     map[string]string
		Accounts    map[string]struct{ ID, CIDR string }
		Templates   map[string]string
		Queues      map[string]struct{ Consumer string }
		Services    map[string]struct{ Namespace, ServiceAccount string }
		SearchAlias string `json:"search_alias"`
	}
	if err := json.Unmarshal(text, &names); err != nil {
		t.Fatal(err)
	}
	for _, environment := range []string{"test", "preprod", "prod"} {
		named := func(key string) string {
			return strings.ReplaceAll(names.Templates[key], "{env}", environment)
		}
		for _, service := range services {
			objects := rendered[service][environment]
			config := configOf(t, objects)
			want := map[string]string{
				"PAYOPS_SEARCH_ALIAS":  names.SearchAlias,
				"PAYOPS_SEARCH_URL":    "https://search.internal." + named("domain"),
				"PAYOPS_MAIL_FROM":     "payments@" + named("domain"),
				"PAYOPS_AWS_REGION":    names.Regions["home"],
				"PAYOPS_AWS_ACCOUNT":   names.Accounts[environment].ID,
				"PAYOPS_TABLE":         named("table"),
				"PAYOPS_BUCKET":        named("archive_bucket"),
				"PAYOPS_BUS":           named("bus"),
				"PAYOPS_QUEUE_PREFIX":  named("queue_prefix"),
				"PAYOPS_SECRET_PREFIX": named("secret_prefix"),
			}
			for name, value := range want {
				if set, exists := config[name]; exists && set != value {
					t.Errorf("%s in %s: %s is %s, Terraform makes %s", service, environment, name, set, value)
				}
			}
			if names.Services[service].Namespace != service {
				t.Errorf("%s: Terraform's namespace is %s", service, names.Services[service].Namespace)
			}
			if account := rolloutOf(t, objects).Spec.Template.Spec.ServiceAccountName; account != service {
				t.Errorf("%s runs as %s", service, account)
			}
			for _, ingress := range ofKind(objects, "Ingress") {
				group := ingress.GetAnnotations()["alb.ingress.kubernetes.io/group.name"]
				hosts := map[string]string{
					named("public_load_balancer"):   named("domain"),
					named("internal_load_balancer"): "api.internal." + named("domain"),
				}
				host, _, _ := unstructured.NestedSlice(ingress.Object, "spec", "rules")
				if found := host[0].(map[string]any)["host"]; hosts[group] != found {
					t.Errorf("%s in %s: %s on load balancer %q", service, environment, found, group)
				}
			}
			for _, analysis := range analysesOf(t, objects) {
				for _, metric := range analysis.Spec.Metrics {
					if metric.Provider.CloudWatch == nil {
						continue
					}
					for _, dimension := range metric.Provider.CloudWatch.MetricDataQueries[0].MetricStat.Metric.Dimensions {
						queue := strings.TrimPrefix(dimension.Value, named("queue_prefix"))
						if consumer := names.Queues[queue].Consumer; consumer != service {
							t.Errorf("%s in %s judges %s, the queue of %q", service, environment, dimension.Value, consumer)
						}
					}
				}
			}
		}
	}
}

// The worker's function gets its variables from Terraform.
func TestTerraformSetsWhatTheFunctionReads(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "terraform/modules/workload/*.tf"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("terraform/modules/workload is not in this checkout")
	}
	shared := "services/runtime/src/settings.rs"
	known := map[string]variable{}
	for _, place := range [][2]string{
		{shared, "COMMON"}, {shared, "DISPATCH"}, {shared, "PROVIDER"}, {"services/worker/src/bin/worker_lambda.rs", "LAMBDA"},
	} {
		for name, variable := range table(t, place[0], place[1]) {
			known[name] = variable
		}
	}
	set := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`(?m)^\s+(PAYOPS_[A-Z_]+)\s+=`).FindAllStringSubmatch(string(text), -1) {
			set[match[1]] = true
			if _, exists := known[match[1]]; !exists {
				t.Errorf("%s sets %s, and nothing reads it", filepath.Base(file), match[1])
			}
		}
	}
	for name, variable := range known {
		if variable.required && !set[name] {
			t.Errorf("%s is required and not set", name)
		}
	}
}

// Secrets by name: those that the services ask for, and those that External Secrets brings into the cluster.
func TestSecretsAreTerraforms(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "terraform/modules/names/names.json"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("terraform/modules/names/names.json is not in this checkout")
	}
	if err != nil {
		t.Fatal(err)
	}
	var names struct{ Secrets map[string]any }
	if err := json.Unmarshal(text, &names); err != nil {
		t.Fatal(err)
	}
	defaults := regexp.MustCompile(`Variable::default\(\s*"PAYOPS_[A-Z_]+_SECRET",\s*"([a-z-]+)"`)
	for _, file := range []string{"services/runtime/src/settings.rs", "services/payments/src/bin/payops-payments/config.rs"} {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range defaults.FindAllStringSubmatch(string(text), -1) {
			if _, exists := names.Secrets[match[1]]; !exists {
				t.Errorf("%s asks for the secret %s, which Terraform does not make", file, match[1])
			}
		}
	}
	each(t, func(t *testing.T, _, environment string, objects []unstructured.Unstructured) {
		for _, object := range ofKind(objects, "ExternalSecret") {
			data, _, _ := unstructured.NestedSlice(object.Object, "spec", "data")
			key, _, _ := unstructured.NestedString(data[0].(map[string]any), "remoteRef", "key")
			name := key[strings.LastIndex(key, "/")+1:]
			if _, exists := names.Secrets[name]; !exists {
				t.Errorf("%s in %s brings %s, which Terraform does not make", object.GetName(), environment, key)
			}
		}
	})
}

// What Argo CD deploys is in these folders, and what it must leave alone is what the rollout writes.
func TestArgoReadsWhatIsThere(t *testing.T) {
	folder := filepath.Join(root, "charts/argocd")
	text, err := os.ReadFile(filepath.Join(folder, "applicationsets/environments.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	service := rolloutOf(t, rendered["payments-api"]["prod"]).Spec.Strategy.Canary.TrafficRouting.ALB.RootService
	if !strings.Contains(string(text), `["alb.ingress.kubernetes.io/actions.`+service+`"]`) {
		t.Error("a sync would set the load balancer's weights back")
	}
	if !strings.Contains(string(text), "RespectIgnoreDifferences=true") {
		t.Error("ignored differences are not respected by a sync")
	}
	files, err := filepath.Glob(filepath.Join(folder, "environments/*/*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if filepath.Base(file) == "namespaces.yaml" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var entry struct{ Environment, Cluster, Service, Namespace, Version string }
		if err := yaml.UnmarshalStrict(text, &entry); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if entry.Environment != filepath.Base(filepath.Dir(file)) || entry.Service+".yaml" != filepath.Base(file) ||
			entry.Cluster != "payops-"+entry.Environment || entry.Namespace != entry.Service || entry.Version == "" {
			t.Errorf("%s says %+v", file, entry)
		}
		if !slices.Contains(services, entry.Service) {
			t.Errorf("%s: no chart %s", file, entry.Service)
		}
	}
}

// A secret that an analysis reads is one that External Secrets makes, with that key in it.
func TestAnalysesFindTheirSecrets(t *testing.T) {
	each(t, func(t *testing.T, _, _ string, objects []unstructured.Unstructured) {
		made := map[string]bool{}
		for _, object := range ofKind(objects, "ExternalSecret") {
			target, _, _ := unstructured.NestedString(object.Object, "spec", "target", "name")
			data, _, _ := unstructured.NestedSlice(object.Object, "spec", "data")
			for _, entry := range data {
				made[target+"/"+entry.(map[string]any)["secretKey"].(string)] = true
			}
		}
		for _, analysis := range analysesOf(t, objects) {
			for _, metric := range analysis.Spec.Metrics {
				var wanted []string
				if metric.Provider.Datadog != nil {
					if !metric.Provider.Datadog.SecretRef.Namespaced {
						t.Errorf("%s reads a secret of the controller's namespace", analysis.Name)
					}
					for _, key := range []string{"address", "api-key", "app-key"} {
						wanted = append(wanted, metric.Provider.Datadog.SecretRef.Name+"/"+key)
					}
				}
				if metric.Provider.Job != nil {
					for _, entry := range metric.Provider.Job.Spec.Template.Spec.Containers[0].Env {
						if entry.ValueFrom != nil && entry.ValueFrom.SecretKeyRef != nil {
							wanted = append(wanted, entry.ValueFrom.SecretKeyRef.Name+"/"+entry.ValueFrom.SecretKeyRef.Key)
						}
					}
				}
				for _, name := range wanted {
					if !made[name] {
						t.Errorf("%s reads %s, which nothing makes", analysis.Name, name)
					}
				}
			}
		}
	})
}
