// Command types prints the Go types of Kubernetes' kinds as lines of text.
//
// Protobuf bodies and the hashes of pod templates follow from Go's types: the numbers and order of
// fields are known nowhere else. Lines are
//
//	K <apiVersion> <kind> <index of its struct>
//	S <name of the struct in Go>
//	<name in Go> <name in JSON> <flags> <number in protobuf> <shape> [<type in Go>]
//
// where the last belong to the struct above. Flags: o omitempty or omitzero, i inlined in JSON, - none. A
// shape is a prefix (* pointer, [ list, { map from strings) and a letter: s string, b bool, i integer, f float, y bytes,
// w list of strings in a message of its own, m<index> struct, T time, U time with microseconds, D duration, Q quantity,
// N number or string, R raw extension, F set of fields. The type in Go is printed below PodTemplateSpec only.
package main

import (
	"bufio"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"
)

type marshaler interface{ Marshal() ([]byte, error) }

var (
	special = map[reflect.Type]string{
		reflect.TypeFor[metav1.Time]():          "T",
		reflect.TypeFor[metav1.MicroTime]():     "U",
		reflect.TypeFor[metav1.Duration]():      "D",
		reflect.TypeFor[resource.Quantity]():    "Q",
		reflect.TypeFor[intstr.IntOrString]():   "N",
		reflect.TypeFor[runtime.RawExtension](): "R",
		reflect.TypeFor[metav1.FieldsV1]():      "F",
	}
	index = map[reflect.Type]int{}
	order []reflect.Type
	// hashed are the types whose Go form is part of a template's hash.
	hashed = map[reflect.Type]bool{}
)

func structIndex(t reflect.Type) int {
	if known, ok := index[t]; ok {
		return known
	}
	index[t] = len(order)
	order = append(order, t)
	for i := 0; i < t.NumField(); i++ {
		if t.Field(i).IsExported() {
			shape(t.Field(i).Type)
		}
	}
	return index[t]
}

func shape(t reflect.Type) string {
	if code, ok := special[t]; ok {
		return code
	}
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + shape(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "y"
		}
		if reflect.PointerTo(t).Implements(reflect.TypeFor[marshaler]()) {
			return "w"
		}
		return "[" + shape(t.Elem())
	case reflect.Map:
		return "{" + shape(t.Elem())
	case reflect.String:
		return "s"
	case reflect.Bool:
		return "b"
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint8, reflect.Uint32, reflect.Uint64:
		return "i"
	case reflect.Float32, reflect.Float64:
		return "f"
	case reflect.Struct:
		return fmt.Sprintf("m%d", structIndex(t))
	}
	panic(fmt.Sprintf("%v has no shape", t))
}

func reach(t reflect.Type) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		reach(t.Elem())
	case reflect.Struct:
		if special[t] != "" || hashed[t] {
			return
		}
		hashed[t] = true
		for i := 0; i < t.NumField(); i++ {
			reach(t.Field(i).Type)
		}
	}
}

func field(out *bufio.Writer, owner reflect.Type, f reflect.StructField) {
	json := strings.Split(f.Tag.Get("json"), ",")
	number := "0"
	if parts := strings.Split(f.Tag.Get("protobuf"), ","); len(parts) > 1 {
		number = parts[1]
	}
	flags := ""
	for _, option := range json[1:] {
		switch option {
		case "omitempty", "omitzero":
			flags = strings.TrimSuffix(flags, "o") + "o"
		case "inline":
			flags += "i"
		}
	}
	if json[0] == "" && !strings.Contains(flags, "i") {
		flags += "i"
	}
	if flags == "" {
		flags = "-"
	}
	name := json[0]
	if name == "" {
		name = "-"
	}
	fmt.Fprintf(out, "%s %s %s %s %s", f.Name, name, flags, number, shape(f.Type))
	if hashed[owner] {
		fmt.Fprintf(out, " %s", f.Type)
	}
	fmt.Fprintln(out)
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	reach(reflect.TypeFor[v1.PodTemplateSpec]())
	var kinds []string
	for gvk, t := range scheme.Scheme.AllKnownTypes() {
		unstable := strings.Contains(gvk.Version, "alpha") || strings.Contains(gvk.Version, "beta")
		internal := unstable || gvk.Version == runtime.APIVersionInternal || strings.HasSuffix(gvk.Kind, "List")
		messages := reflect.PointerTo(t).Implements(reflect.TypeFor[marshaler]())
		if internal || !messages || t.Kind() != reflect.Struct || gvk.Kind == "WatchEvent" {
			continue
		}
		kinds = append(kinds, gvk.GroupVersion().String()+" "+gvk.Kind)
	}
	sort.Strings(kinds)
	for _, kind := range kinds {
		apiVersion, name, _ := strings.Cut(kind, " ")
		group, version, found := strings.Cut(apiVersion, "/")
		if !found {
			group, version = "", apiVersion
		}
		for gvk, t := range scheme.Scheme.AllKnownTypes() {
			if gvk.Group == group && gvk.Version == version && gvk.Kind == name {
				fmt.Fprintf(out, "K %s %s %d\n", apiVersion, name, structIndex(t))
			}
		}
	}
	for place := 0; place < len(order); place++ {
		t := order[place]
		fmt.Fprintf(out, "S %s\n", t)
		for i := 0; i < t.NumField(); i++ {
			if t.Field(i).IsExported() {
				field(out, t, t.Field(i))
			}
		}
	}
}
