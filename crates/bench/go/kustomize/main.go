// Builds kustomizations with the library of kustomize 5.8.1, in process.
//
//	kustomize-bench bench THREADS SECONDS FOLDER   one line of JSON: time, CPU and memory per build
//	kustomize-bench record FOLDER                  what the library answers, written into the cases below FOLDER
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func main() {
	var err error
	switch {
	case len(os.Args) == 5 && os.Args[1] == "bench":
		err = bench(os.Args[2], os.Args[3], os.Args[4])
	case len(os.Args) == 3 && os.Args[1] == "record":
		err = record(os.Args[2])
	default:
		err = fmt.Errorf("usage: kustomize-bench bench THREADS SECONDS FOLDER | record FOLDER")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func build(fs filesys.FileSystem, root string, options *krusty.Options) (text []byte, err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = fmt.Errorf("PANIC: %v", caught)
		}
	}()
	resources, err := krusty.MakeKustomizer(options).Run(fs, root)
	if err != nil {
		return nil, err
	}
	return resources.AsYaml()
}

// The schema of kyaml is global and not guarded, so whoever builds in several threads holds a lock around each build,
// as Flux's controller does.
var oneAtATime sync.Mutex

func bench(threads, seconds, folder string) error {
	var count int
	var span float64
	if _, err := fmt.Sscan(threads+" "+seconds, &count, &span); err != nil {
		return err
	}
	fs, err := inMemory(folder)
	if err != nil {
		return err
	}
	// The first build parses the built-in schema; it is not counted.
	text, err := build(fs, "/overlay", krusty.MakeDefaultOptions())
	if err != nil {
		return err
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	if _, err := build(fs, "/overlay", krusty.MakeDefaultOptions()); err != nil {
		return err
	}
	runtime.ReadMemStats(&after)
	var builds atomic.Int64
	start, cpu := time.Now(), cpuSeconds()
	var group sync.WaitGroup
	for range count {
		group.Go(func() {
			for builds.Load() == 0 || time.Since(start).Seconds() < span {
				if count > 1 {
					oneAtATime.Lock()
				}
				_, _ = build(fs, "/overlay", krusty.MakeDefaultOptions())
				if count > 1 {
					oneAtATime.Unlock()
				}
				builds.Add(1)
			}
		})
	}
	group.Wait()
	done := float64(builds.Load())
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"wall":      time.Since(start).Seconds() / done,
		"cpu":       (cpuSeconds() - cpu) / done,
		"allocated": after.TotalAlloc - before.TotalAlloc,
		"bytes":     len(text),
	})
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

// inMemory copies a folder, so that neither side of the comparison reads a disk.
func inMemory(folder string) (filesys.FileSystem, error) {
	fs := filesys.MakeFsInMemory()
	return fs, filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		return fs.WriteFile("/"+inside, text)
	})
}

type testCase struct {
	Name     string            `json:"name"`
	Root     string            `json:"root"`
	Options  caseOptions       `json:"options"`
	Files    map[string]string `json:"files"`
	Expected *string           `json:"expected,omitempty"`
	Error    string            `json:"error,omitempty"`
}

type caseOptions struct {
	Reorder        string `json:"reorder,omitempty"`
	LoadRestrictor string `json:"load_restrictor,omitempty"`
}

// record builds every case on disk, for the words of a missing file differ in memory.
func record(folder string) error {
	paths, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		if err := recordOne(path); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

func recordOne(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var one testCase
	if err := json.Unmarshal(text, &one); err != nil {
		return err
	}
	top, err := os.MkdirTemp("", "case")
	if err != nil {
		return err
	}
	defer os.RemoveAll(top)
	for name, text := range one.Files {
		file := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return err
		}
	}
	options := krusty.MakeDefaultOptions()
	if one.Options.Reorder == "legacy" {
		options.Reorder = krusty.ReorderOptionLegacy
	}
	if one.Options.LoadRestrictor == "none" {
		options.LoadRestrictions = types.LoadRestrictionsNone
	}
	printed, err := build(filesys.MakeFsOnDisk(), filepath.Join(top, one.Root), options)
	one.Expected, one.Error = nil, ""
	if err != nil {
		one.Error = strings.ReplaceAll(err.Error(), top, "")
	} else {
		// A build from source, without a release, calls itself so.
		shown := strings.ReplaceAll(string(printed), "kustomize-(devel)", "kustomize-v5.8.1")
		one.Expected = &shown
	}
	out, err := json.MarshalIndent(one, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(out, '\n'), 0o644)
}
