// Command overlay reads rendered objects on stdin and writes them with quick canaries on stdout; see package overlay.
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"payops.example.com/charts/tests/rendered/overlay"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "overlay:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	for _, part := range bytes.Split(text, []byte("\n---")) {
		object := unstructured.Unstructured{}
		if err := yaml.Unmarshal(part, &object.Object); err != nil {
			return err
		}
		if len(object.Object) == 0 {
			continue
		}
		overlay.Apply(&object)
		written, err := yaml.Marshal(object.Object)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "---\n%s", written); err != nil {
			return err
		}
	}
	return nil
}
