// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0

// Command runner calls plugins through the library that container runtimes use, as cnitool does, and lets the caller
// choose what cnitool takes for granted: the cache folder, the container, and what capabilities are given.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"
)

const usage = `usage: runner [option]... add|check|del|cached|validate <configuration>
       runner -path <folders> versions <plugin>...
       runner library

"versions" lists what each plugin supports, "library" what the library itself does.

The configuration is a file: *.conflist is a list of plugins, anything else a single plugin. With -dir it is the name of
a network that is looked for in that folder, as runtimes do.
`

// pairs are the KEY=value that become CNI_ARGS.
type pairs [][2]string

func (p *pairs) String() string { return fmt.Sprint(*p) }

func (p *pairs) Set(text string) error {
	key, value, found := strings.Cut(text, "=")
	if !found {
		return errors.New("not KEY=value")
	}
	*p = append(*p, [2]string{key, value})
	return nil
}

type options struct {
	path, cache, dir, capabilities string
	recall                         bool
	runtime                        libcni.RuntimeConf
}

func parse() (options, error) {
	var o options
	var args pairs
	flag.StringVar(&o.path, "path", os.Getenv("CNI_PATH"), "folders with the plugins, separated by colons")
	flag.StringVar(&o.cache, "cache", "", "folder of the library's own records")
	flag.StringVar(&o.dir, "dir", "", "folder with configurations")
	flag.BoolVar(&o.recall, "recall", false, "take configuration and arguments from the library's record, as podman does")
	flag.StringVar(&o.runtime.ContainerID, "container", "c1", "CNI_CONTAINERID")
	flag.StringVar(&o.runtime.NetNS, "netns", "", "CNI_NETNS")
	flag.StringVar(&o.runtime.IfName, "ifname", "eth0", "CNI_IFNAME")
	flag.StringVar(&o.capabilities, "capabilities", "{}", "JSON object: what becomes runtimeConfig")
	flag.Var(&args, "arg", "KEY=value of CNI_ARGS, as often as wanted")
	flag.Usage = func() { fmt.Fprint(flag.CommandLine.Output(), usage); flag.PrintDefaults() }
	flag.Parse()
	o.runtime.Args = args
	return o, json.Unmarshal([]byte(o.capabilities), &o.runtime.CapabilityArgs)
}

func show(value interface{}) error {
	text, err := json.Marshal(value)
	if err == nil {
		_, err = fmt.Println(string(text))
	}
	return err
}

// shown prints a result, unless there is none.
func shown(result types.Result, err error) error {
	if err != nil || result == nil {
		return err
	}
	return show(result)
}

func versions(ctx context.Context, cni *libcni.CNIConfig, plugins []string) error {
	supported := map[string][]string{}
	for _, plugin := range plugins {
		info, err := cni.GetVersionInfo(ctx, plugin)
		if err != nil {
			return err
		}
		supported[plugin] = info.SupportedVersions()
	}
	return show(supported)
}

// verbs is what the library can do with one network, whether that is a single plugin or a list.
type verbs struct {
	add, cached func() (types.Result, error)
	check, del  func() error
	validate    func() ([]string, error)
}

func ofPlugin(ctx context.Context, cni *libcni.CNIConfig, file string, o options) (verbs, error) {
	conf, err := libcni.ConfFromFile(file)
	if err != nil {
		return verbs{}, err
	}
	rt := &o.runtime
	if o.recall {
		bytes, recalled, err := cni.GetNetworkCachedConfig(conf, rt)
		if err != nil || bytes == nil {
			return verbs{}, notRecorded(err)
		}
		if conf, err = libcni.ConfFromBytes(bytes); err != nil {
			return verbs{}, err
		}
		rt = recalled
	}
	return verbs{
		add:      func() (types.Result, error) { return cni.AddNetwork(ctx, conf, rt) },
		cached:   func() (types.Result, error) { return cni.GetNetworkCachedResult(conf, rt) },
		check:    func() error { return cni.CheckNetwork(ctx, conf, rt) },
		del:      func() error { return cni.DelNetwork(ctx, conf, rt) },
		validate: func() ([]string, error) { return cni.ValidateNetwork(ctx, conf) },
	}, nil
}

func ofList(ctx context.Context, cni *libcni.CNIConfig, file string, o options) (verbs, error) {
	list, err := loadList(o.dir, file)
	if err != nil {
		return verbs{}, err
	}
	rt := &o.runtime
	if o.recall {
		bytes, recalled, err := cni.GetNetworkListCachedConfig(list, rt)
		if err != nil || bytes == nil {
			return verbs{}, notRecorded(err)
		}
		if list, err = libcni.ConfListFromBytes(bytes); err != nil {
			return verbs{}, err
		}
		rt = recalled
	}
	return verbs{
		add:      func() (types.Result, error) { return cni.AddNetworkList(ctx, list, rt) },
		cached:   func() (types.Result, error) { return cni.GetNetworkListCachedResult(list, rt) },
		check:    func() error { return cni.CheckNetworkList(ctx, list, rt) },
		del:      func() error { return cni.DelNetworkList(ctx, list, rt) },
		validate: func() ([]string, error) { return cni.ValidateNetworkList(ctx, list) },
	}, nil
}

func loadList(dir, name string) (*libcni.NetworkConfigList, error) {
	if dir != "" {
		return libcni.LoadConfList(dir, name)
	}
	return libcni.ConfListFromFile(name)
}

func notRecorded(err error) error {
	if err != nil {
		return err
	}
	return errors.New("the library has no record of this attachment")
}

func (v verbs) run(verb string) error {
	switch verb {
	case "add":
		return shown(v.add())
	case "cached":
		return shown(v.cached())
	case "check":
		return v.check()
	case "del":
		return v.del()
	case "validate":
		capabilities, err := v.validate()
		if err != nil {
			return err
		}
		return show(capabilities)
	}
	return fmt.Errorf("unknown verb %q", verb)
}

func run() error {
	o, err := parse()
	if err != nil {
		return fmt.Errorf("-capabilities: %w", err)
	}
	ctx := context.Background()
	cni := libcni.NewCNIConfigWithCacheDir(filepath.SplitList(o.path), o.cache, nil)
	verb, rest := flag.Arg(0), flag.Args()
	switch {
	case verb == "library":
		return show(version.All.SupportedVersions())
	case len(rest) < 2:
		return errors.New(usage)
	case verb == "versions":
		return versions(ctx, cni, rest[1:])
	}
	of := ofPlugin
	if o.dir != "" || filepath.Ext(rest[1]) == ".conflist" {
		of = ofList
	}
	network, err := of(ctx, cni, rest[1], o)
	if err != nil {
		return err
	}
	return network.run(verb)
}

func main() {
	err := run()
	if err == nil {
		return
	}
	// The code is what a runtime acts upon; everything it logs is the text.
	var plugin *types.Error
	if errors.As(err, &plugin) {
		fmt.Fprintf(os.Stderr, "code %d: ", plugin.Code)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
