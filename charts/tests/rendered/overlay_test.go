package rendered

import (
	"reflect"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"payops.example.com/charts/tests/rendered/overlay"
)

// changes are the paths at which two values differ.
func changes(path string, before, after any, found map[string]any) {
	switch typed := before.(type) {
	case map[string]any:
		other, _ := after.(map[string]any)
		for name, value := range typed {
			changes(path+"."+name, value, other[name], found)
		}
		if len(typed) != len(other) {
			found[path] = after
		}
	case []any:
		other, _ := after.([]any)
		if len(typed) != len(other) {
			found[path] = after
			return
		}
		for index, value := range typed {
			changes(path+"[]", value, other[index], found)
		}
	default:
		if !reflect.DeepEqual(before, after) {
			found[path] = after
		}
	}
}

// What is driven to its end on a real controller is the canary of prod but for its waits.
func TestTheOverlayChangesNothingButWaits(t *testing.T) {
	allowed := map[string]bool{
		".spec.strategy.canary.steps[].pause.duration": true,
		".spec.metrics[].interval":                     true,
		".spec.metrics[].initialDelay":                 true,
	}
	seen := map[string]bool{}
	each(t, func(t *testing.T, _, _ string, objects []unstructured.Unstructured) {
		for _, object := range objects {
			quick := *object.DeepCopy()
			overlay.Apply(&quick)
			found := map[string]any{}
			changes("", object.Object, quick.Object, found)
			for path, value := range found {
				seen[path] = true
				if !allowed[path] || value != overlay.Second {
					t.Errorf("%s/%s: %s is now %v", object.GetKind(), object.GetName(), path, value)
				}
			}
		}
	})
	for path := range allowed {
		if !seen[path] {
			t.Errorf("%s was nowhere changed", path)
		}
	}
}

func TestTheOverlayLeavesNoLongWait(t *testing.T) {
	for _, service := range services {
		for _, object := range rendered[service]["prod"] {
			quick := *object.DeepCopy()
			overlay.Apply(&quick)
			if quick.GetKind() != "Rollout" {
				continue
			}
			for _, step := range rolloutOf(t, []unstructured.Unstructured{quick}).Spec.Strategy.Canary.Steps {
				if step.Pause != nil && step.Pause.Duration.String() != overlay.Second {
					t.Errorf("%s waits %s", service, step.Pause.Duration.String())
				}
			}
		}
	}
}
