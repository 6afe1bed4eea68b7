// Command engine renders charts with Helm's own packages, in one process, and prints what each part costs.
//
//	engine SECONDS CHART ...
//
// For each chart one line of JSON: milliseconds of CPU a rendering for reading the chart, joining its values, running its
// templates and sorting the manifests; and the milliseconds of the wall clock for all of it.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
)

// cost is what one chart takes, in milliseconds.
type cost struct {
	Chart     string  `json:"chart"`
	Runs      int     `json:"runs"`
	Load      float64 `json:"load"`
	Values    float64 `json:"values"`
	Templates float64 `json:"templates"`
	Sort      float64 `json:"sort"`
	Wall      float64 `json:"wall"`
}

func main() {
	if len(os.Args) < 3 {
		fail(fmt.Errorf("usage: engine SECONDS CHART ..."))
	}
	seconds, err := strconv.ParseFloat(os.Args[1], 64)
	if err != nil {
		fail(err)
	}
	for _, path := range os.Args[2:] {
		result, err := measure(path, time.Duration(seconds*float64(time.Second)))
		if err != nil {
			fail(fmt.Errorf("%s: %w", path, err))
		}
		line, err := json.Marshal(result)
		if err != nil {
			fail(err)
		}
		fmt.Println(string(line))
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "error:", err)
	os.Exit(1)
}

// measure renders a chart until the time is over, at least three times. The first rendering is not counted: it pays for
// what Go's packages make once.
func measure(path string, limit time.Duration) (cost, error) {
	result := cost{Chart: path}
	if err := once(path, &cost{}); err != nil {
		return result, err
	}
	begun := time.Now()
	for result.Runs < 3 || time.Since(begun) < limit {
		if err := once(path, &result); err != nil {
			return result, err
		}
		result.Runs++
	}
	runs := float64(result.Runs)
	result.Wall = float64(time.Since(begun)) / 1e6 / runs
	for _, part := range []*float64{&result.Load, &result.Values, &result.Templates, &result.Sort} {
		*part /= runs
	}
	return result, nil
}

// once does what an installation does. The chart is read each time, because joining values changes it.
func once(path string, result *cost) error {
	var loaded *chart.Chart
	var values common.Values
	var texts map[string]string
	steps := []struct {
		total *float64
		run   func() error
	}{
		{&result.Load, func() (err error) {
			loaded, err = loader.Load(path)
			return err
		}},
		{&result.Values, func() (err error) {
			user := map[string]any{}
			if err = chartutil.ProcessDependencies(loaded, user); err != nil {
				return err
			}
			release := common.ReleaseOptions{Name: "bench", Namespace: "default", Revision: 1, IsInstall: true}
			values, err = util.ToRenderValues(loaded, user, release, nil)
			return err
		}},
		{&result.Templates, func() (err error) {
			texts, err = engine.Render(loaded, values)
			return err
		}},
		{&result.Sort, func() error {
			for name := range texts {
				if strings.HasSuffix(name, "NOTES.txt") {
					delete(texts, name)
				}
			}
			_, _, err := releaseutil.SortManifests(texts, nil, releaseutil.InstallOrder)
			return err
		}},
	}
	for _, step := range steps {
		before := cpu()
		if err := step.run(); err != nil {
			return err
		}
		*step.total += float64(cpu()-before) / 1e6
	}
	return nil
}

// cpu returns the CPU time of the process: the collector's work on other threads counts too.
func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
