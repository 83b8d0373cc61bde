// Stands in for the kubelet and the scheduler of every node: watches pods and writes the status that
// they would have. No container runs. See pods.go for what a pod does.
package main

import (
	"context"
	"flag"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

const (
	workers = 8
	// A connection that the API server closed is opened again after at most this long.
	retryMax = time.Second
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "kubeconfig `FILE` of an administrator")
	flag.Parse()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		klog.Fatal(err)
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		klog.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods()
	k := &kubelet{
		client: client,
		pods:   pods.Lister(),
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[cache.ObjectName](20*time.Millisecond, retryMax)),
		seen: map[types.UID]time.Time{},
	}
	_, err = pods.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    k.changed,
		UpdateFunc: func(_, pod any) { k.changed(pod) },
		DeleteFunc: k.gone,
	})
	if err != nil {
		klog.Fatal(err)
	}
	factory.Start(ctx.Done())
	for range workers {
		go wait.UntilWithContext(ctx, k.work, 0)
	}
	<-ctx.Done()
	k.queue.ShutDown()
}

type kubelet struct {
	client kubernetes.Interface
	pods   listers.PodLister
	queue  workqueue.TypedRateLimitingInterface[cache.ObjectName]

	lock sync.Mutex
	seen map[types.UID]time.Time // creationTimestamp counts whole seconds, which is too coarse
}

func (k *kubelet) changed(object any) {
	pod := object.(*corev1.Pod)
	k.lock.Lock()
	if _, known := k.seen[pod.UID]; !known {
		k.seen[pod.UID] = time.Now()
	}
	k.lock.Unlock()
	k.queue.Add(cache.MetaObjectToName(pod))
}

func (k *kubelet) gone(object any) {
	if last, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = last.Obj
	}
	pod := object.(*corev1.Pod)
	k.lock.Lock()
	delete(k.seen, pod.UID)
	k.lock.Unlock()
}

func (k *kubelet) work(ctx context.Context) {
	for {
		name, closed := k.queue.Get()
		if closed {
			return
		}
		if err := k.sync(ctx, name); err != nil {
			if !apierrors.IsConflict(err) {
				klog.Warningf("%s: %v", name, err)
			}
			k.queue.AddRateLimited(name)
		} else {
			k.queue.Forget(name)
		}
		k.queue.Done(name)
	}
}

// Brings the status of one pod up to what it is now, and comes back when it will be another.
func (k *kubelet) sync(ctx context.Context, name cache.ObjectName) error {
	pod, err := k.pods.Pods(name.Namespace).Get(name.Name)
	if apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		return err
	}
	k.lock.Lock()
	since, known := k.seen[pod.UID]
	k.lock.Unlock()
	if !known || pod.DeletionTimestamp != nil {
		return nil
	}
	now := time.Now()
	status, next := statusOf(pod, now.Sub(since), metav1.NewTime(now))
	if next > 0 {
		k.queue.AddAfter(name, next)
	}
	if equality.Semantic.DeepEqual(status, pod.Status) {
		return nil
	}
	changed := pod.DeepCopy()
	changed.Status = status
	_, err = k.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, changed, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
