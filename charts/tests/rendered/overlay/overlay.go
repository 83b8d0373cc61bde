// Package overlay makes rendered canaries quick enough to be driven to their end in a test, and changes nothing else:
// pauses, intervals and initial delays become a second.
package overlay

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

// Second is what every wait becomes.
const Second = "1s"

// Apply changes a Rollout or an AnalysisTemplate in place, and no other object.
func Apply(object *unstructured.Unstructured) {
	switch object.GetKind() {
	case "Rollout":
		each(object.Object, func(step map[string]any) {
			if pause, isPause := step["pause"].(map[string]any); isPause {
				if _, ends := pause["duration"]; ends {
					pause["duration"] = Second
				}
			}
		}, "spec", "strategy", "canary", "steps")
	case "AnalysisTemplate":
		each(object.Object, func(metric map[string]any) {
			for _, wait := range []string{"interval", "initialDelay"} {
				if _, set := metric[wait]; set {
					metric[wait] = Second
				}
			}
		}, "spec", "metrics")
	}
}

func each(object map[string]any, change func(map[string]any), path ...string) {
	for _, name := range path[:len(path)-1] {
		inner, isObject := object[name].(map[string]any)
		if !isObject {
			return
		}
		object = inner
	}
	entries, _ := object[path[len(path)-1]].([]any)
	for _, entry := range entries {
		if typed, isObject := entry.(map[string]any); isObject {
			change(typed)
		}
	}
}
