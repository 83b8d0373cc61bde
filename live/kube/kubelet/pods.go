package main

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The annotation of a pod, or of a pod template, that says what its pods do. Without it the tag of
// the first container's image does (images by digest have none). Both are read at every change of
// the pod, so that annotating a running pod changes it.
const annotation = "live.payops/behaviour"

const (
	startAfter = 500 * time.Millisecond // how long a container takes to run and be ready
	lateAfter  = 5 * time.Second        // the same, of "late" without a number
)

// What a container does, as the first word of the annotation or the tag:
//
//	crash, crash-…   exits at once, again and again: CrashLoopBackOff
//	pull, pull-…     its image cannot be pulled: ImagePullBackOff
//	late             runs at once and is ready after 5 s; late-20 (late-20s) after 20 s
//	unready          runs and is never ready
//	pending          is never started, as on a cluster without room: Unschedulable
//	fail             a Job's pod fails, whatever its command says
//
// Anything else runs and is ready after 0.5 s. A pod with restartPolicy Never or OnFailure ends
// after the `sleep` of its commands (none: at once), and fails if they hold `exit N` or `false`.
func statusOf(pod *corev1.Pod, age time.Duration, now metav1.Time) (corev1.PodStatus, time.Duration) {
	status := *pod.Status.DeepCopy()
	if status.Phase == corev1.PodSucceeded || status.Phase == corev1.PodFailed {
		return status, 0
	}
	word, delay := behaviour(pod)
	if word == "pending" {
		status.Phase = corev1.PodPending
		condition(&status, now, corev1.PodScheduled, false, "Unschedulable", "0/1 nodes are available: 1 Insufficient cpu.")
		return status, 0
	}
	if age < startAfter {
		return status, startAfter - age
	}
	condition(&status, now, corev1.PodScheduled, true, "", "")
	condition(&status, now, corev1.PodInitialized, true, "", "")
	if status.StartTime == nil {
		status.StartTime = &now
		status.HostIP, status.PodIP = "127.0.0.1", "127.0.0.1"
		status.PodIPs = []corev1.PodIP{{IP: "127.0.0.1"}}
	}

	var next time.Duration
	ready := false
	switch word {
	case "crash":
		containers(pod, &status, func(c *corev1.ContainerStatus) {
			started := *status.StartTime
			c.RestartCount = 3
			c.State.Waiting = &corev1.ContainerStateWaiting{
				Reason:  "CrashLoopBackOff",
				Message: "back-off 40s restarting failed container=" + c.Name + " pod=" + pod.Name + "_" + pod.Namespace + "(" + string(pod.UID) + ")",
			}
			c.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{
				ExitCode: 1, Reason: "Error", StartedAt: started, FinishedAt: started,
			}
		})
		status.Phase = corev1.PodRunning
	case "pull":
		containers(pod, &status, func(c *corev1.ContainerStatus) {
			c.State.Waiting = &corev1.ContainerStateWaiting{
				Reason:  "ImagePullBackOff",
				Message: "Back-off pulling image \"" + c.Image + "\": ErrImagePull: not found",
			}
		})
		status.Phase = corev1.PodPending
	default:
		if pod.Spec.RestartPolicy != corev1.RestartPolicyAlways {
			return ended(pod, status, word == "fail", age, now)
		}
		ready = word != "unready" && age >= delay
		if word != "unready" && !ready {
			next = delay - age
		}
		running(pod, &status, ready)
	}
	conditions(pod, &status, ready, now)
	return status, next
}

var words = regexp.MustCompile(`^(crash|pull|late|unready|pending|fail)(?:-(\d+)s?)?(?:-.*)?$`)

// The behaviour's word, empty if it has none, and how long the pod takes to be ready.
func behaviour(pod *corev1.Pod) (string, time.Duration) {
	text, ok := pod.Annotations[annotation]
	if !ok && len(pod.Spec.Containers) > 0 {
		image := pod.Spec.Containers[0].Image
		image = image[strings.LastIndexByte(image, '/')+1:]
		if !strings.Contains(image, "@") {
			_, text, _ = strings.Cut(image, ":")
		}
	}
	match := words.FindStringSubmatch(text)
	switch {
	case match == nil:
		return "", startAfter
	case match[1] != "late":
		return match[1], startAfter
	}
	if seconds, err := strconv.Atoi(match[2]); err == nil {
		return match[1], max(time.Duration(seconds)*time.Second, startAfter)
	}
	return match[1], lateAfter
}

var (
	sleeps   = regexp.MustCompile(`\bsleep\s+(\d+(?:\.\d+)?)`)
	failures = regexp.MustCompile(`\bexit\s+[1-9]|(?:^|[\s;&|])false(?:$|[\s;&|])`)
)

// A pod that ends: running until its sleep is over, then Succeeded or Failed.
func ended(pod *corev1.Pod, status corev1.PodStatus, fails bool, age time.Duration, now metav1.Time) (corev1.PodStatus, time.Duration) {
	lasts := startAfter
	for _, c := range pod.Spec.Containers {
		text := strings.Join(append(append([]string{}, c.Command...), c.Args...), " ")
		for _, match := range sleeps.FindAllStringSubmatch(text, -1) {
			seconds, _ := strconv.ParseFloat(match[1], 64)
			lasts += time.Duration(seconds * float64(time.Second))
		}
		fails = fails || failures.MatchString(text)
	}
	if age < lasts {
		running(pod, &status, true)
		conditions(pod, &status, true, now)
		return status, lasts - age
	}
	end := corev1.ContainerStateTerminated{Reason: "Completed", StartedAt: *status.StartTime, FinishedAt: now}
	status.Phase = corev1.PodSucceeded
	if fails {
		end.Reason, end.ExitCode = "Error", 1
		status.Phase = corev1.PodFailed
	}
	containers(pod, &status, func(c *corev1.ContainerStatus) { c.State.Terminated = &end })
	conditions(pod, &status, false, now)
	return status, 0
}

func running(pod *corev1.Pod, status *corev1.PodStatus, ready bool) {
	started := true
	containers(pod, status, func(c *corev1.ContainerStatus) {
		c.State.Running = &corev1.ContainerStateRunning{StartedAt: *status.StartTime}
		c.Started, c.Ready = &started, ready
	})
	status.Phase = corev1.PodRunning
}

func containers(pod *corev1.Pod, status *corev1.PodStatus, fill func(*corev1.ContainerStatus)) {
	status.ContainerStatuses = nil
	for _, spec := range pod.Spec.Containers {
		c := corev1.ContainerStatus{Name: spec.Name, Image: spec.Image, ImageID: spec.Image, ContainerID: "live://" + string(pod.UID) + "/" + spec.Name}
		fill(&c)
		status.ContainerStatuses = append(status.ContainerStatuses, c)
	}
}

// Ready is true only once the containers are and every readiness gate is.
func conditions(pod *corev1.Pod, status *corev1.PodStatus, ready bool, now metav1.Time) {
	switch {
	case ready:
		condition(status, now, corev1.ContainersReady, true, "", "")
	case status.Phase == corev1.PodSucceeded:
		condition(status, now, corev1.ContainersReady, false, "PodCompleted", "")
		condition(status, now, corev1.PodReady, false, "PodCompleted", "")
		return
	default:
		condition(status, now, corev1.ContainersReady, false, "ContainersNotReady", "containers are not ready")
		condition(status, now, corev1.PodReady, false, "ContainersNotReady", "containers are not ready")
		return
	}
	for _, gate := range pod.Spec.ReadinessGates {
		if !holds(status, gate.ConditionType) {
			condition(status, now, corev1.PodReady, false, "ReadinessGatesNotReady",
				"corresponding condition of pod readiness gate \""+string(gate.ConditionType)+"\" does not exist or is not True.")
			return
		}
	}
	condition(status, now, corev1.PodReady, true, "", "")
}

func holds(status *corev1.PodStatus, kind corev1.PodConditionType) bool {
	for _, c := range status.Conditions {
		if c.Type == kind {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// Sets a condition; its time of transition changes with its status alone.
func condition(status *corev1.PodStatus, now metav1.Time, kind corev1.PodConditionType, value bool, reason, message string) {
	wanted := corev1.PodCondition{Type: kind, Status: corev1.ConditionFalse, Reason: reason, Message: message, LastTransitionTime: now}
	if value {
		wanted.Status = corev1.ConditionTrue
	}
	for i, c := range status.Conditions {
		if c.Type == kind {
			if c.Status == wanted.Status {
				wanted.LastTransitionTime = c.LastTransitionTime
			}
			wanted.LastProbeTime, wanted.ObservedGeneration = c.LastProbeTime, c.ObservedGeneration
			status.Conditions[i] = wanted
			return
		}
	}
	status.Conditions = append(status.Conditions, wanted)
}
