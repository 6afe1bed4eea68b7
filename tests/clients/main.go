// Command clients changes objects at random and compares what client-go's informers have seen with what the server has.
//
//	clients KUBECONFIG [changes]
//
// Two informers watch, one in JSON and one that asks for protobuf as controller-runtime does. It ends with 0 when
// both caches are equal to a fresh list, object for object.
package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	namespace = "clients"
	patience  = 60 * time.Second
)

func client(kubeconfig, contentType string) (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 1000, 1000
	config.ContentType = contentType
	return kubernetes.NewForConfig(rest.AddUserAgent(config, "clients"))
}

// change makes one change of one of a few objects, so that creates, updates and deletes of the same name follow each other.
func change(ctx context.Context, server *kubernetes.Clientset, random *rand.Rand, number int) error {
	configs := server.CoreV1().ConfigMaps(namespace)
	name := fmt.Sprintf("c%d", random.IntN(20))
	value := strconv.Itoa(number)
	switch random.IntN(4) {
	case 0:
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"number": value}}
		_, err := configs.Create(ctx, object, metav1.CreateOptions{})
		return err
	case 1:
		object, err := configs.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		object.Data = map[string]string{"number": value}
		_, err = configs.Update(ctx, object, metav1.UpdateOptions{})
		return err
	case 2:
		patch := fmt.Sprintf(`{"metadata":{"labels":{"number":%q}}}`, value)
		_, err := configs.Patch(ctx, name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})
		return err
	default:
		return configs.Delete(ctx, name, metav1.DeleteOptions{})
	}
}

func expected(err error) bool {
	return err == nil || apierrors.IsNotFound(err) || apierrors.IsAlreadyExists(err)
}

func run(ctx context.Context, kubeconfig string, changes int) error {
	var servers []*kubernetes.Clientset
	for _, contentType := range []string{"application/json", "application/vnd.kubernetes.protobuf"} {
		server, err := client(kubeconfig, contentType)
		if err != nil {
			return err
		}
		servers = append(servers, server)
	}
	spaces := servers[0].CoreV1().Namespaces()
	space := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if _, err := spaces.Create(ctx, space, metav1.CreateOptions{}); !expected(err) {
		return err
	}
	var factories []informers.SharedInformerFactory
	for _, server := range servers {
		factory := informers.NewSharedInformerFactoryWithOptions(server, 0, informers.WithNamespace(namespace))
		factory.Core().V1().ConfigMaps().Informer()
		factory.Start(ctx.Done())
		factory.WaitForCacheSync(ctx.Done())
		factories = append(factories, factory)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for number := range changes {
		if err := change(ctx, servers[number%2], random, number); !expected(err) {
			return fmt.Errorf("change %d: %w", number, err)
		}
	}
	for place, factory := range factories {
		lister := factory.Core().V1().ConfigMaps().Lister()
		var last error
		err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
			seen, err := lister.List(labels.Everything())
			if err != nil {
				return false, err
			}
			last = compare(ctx, servers[place], seen)
			return last == nil, nil
		})
		if err != nil {
			return errors.Join(err, last)
		}
	}
	return nil
}

func compare(ctx context.Context, server *kubernetes.Clientset, seen []*corev1.ConfigMap) error {
	list, err := server.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	known := map[string]*corev1.ConfigMap{}
	for _, object := range seen {
		known[object.Name] = object
	}
	if len(known) != len(list.Items) {
		return fmt.Errorf("the cache has %d objects, the server %d", len(known), len(list.Items))
	}
	for i := range list.Items {
		if !reflect.DeepEqual(known[list.Items[i].Name], &list.Items[i]) {
			return fmt.Errorf("%s differs", list.Items[i].Name)
		}
	}
	return nil
}

func main() {
	changes := 1000
	if len(os.Args) > 2 {
		changes, _ = strconv.Atoi(os.Args[2])
	}
	if len(os.Args) < 2 || changes <= 0 {
		fmt.Fprintln(os.Stderr, "usage: clients KUBECONFIG [changes]")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1], changes); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	fmt.Printf("%d changes: both informers are equal to the server\n", changes)
}
