// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/cli.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <sstream>

#include "cnioctl/cli_export.hpp"
#include "cnioctl/cli_look.hpp"
#include "cnioctl/cli_manual.hpp"
#include "cnioctl/colour.hpp"
#include "cnioctl/explain.hpp"
#include "cnioctl/gc.hpp"
#include "cnioctl/lint.hpp"
#include "cnioctl/resync.hpp"
#include "cnioctl/subnet.hpp"
#include "cnioctl/watch.hpp"

namespace cnio::cnioctl {
namespace {

using Verb = std::function<Outcome()>;

// All that can be said on the command line, and the verb that was chosen.
struct Line {
  bool json = false;
  std::string colour = "auto";
  SubnetOptions subnet;
  LintOptions lint;
  LookOptions look;
  ExportOptions exports;
  GcOptions gc;
  bool gc_dry_run = false;
  ResyncOptions resync;
  ExplainOptions explain;
  Verb verb;
};

void add_verb(CLI::App* app, Line& line, const Verb& verb) {
  app->callback([&line, verb] { line.verb = verb; });
}

void add_file(CLI::App* app, Line& line) {
  app->add_option("FILE", line.subnet.file, "in the form of flannel's subnet.env")->required();
}

void add_wire(CLI::App* app, Line& line) {
  app->add_option("--pods", line.subnet.pods, "for how many a subnet has to have room")->capture_default_str();
  app->add_option("--uplink", line.subnet.uplink, "the interface to other nodes (default: that of the default route)");
  app->add_option("--overlay", line.subnet.overlay, "what carries packets to other nodes")
      ->check(CLI::IsMember({"none", "vxlan", "wireguard"}))
      ->capture_default_str();
}

void add_show(CLI::App* subnet, Line& line) {
  CLI::App* app = subnet->add_subcommand("show", "what it says");
  add_file(app, line);
  add_verb(app, line, [&line] { return subnet_show(line.subnet); });
}

void add_check(CLI::App* subnet, Line& line) {
  CLI::App* app = subnet->add_subcommand("check", "is it whole and right?");
  add_file(app, line);
  add_wire(app, line);
  app->add_flag("--here", line.subnet.here, "would this node carry its pods?");
  app->add_option("--bridge", line.subnet.bridge, "that of the pods")->capture_default_str();
  add_verb(app, line, [&line] { return subnet_check(line.subnet); });
}

void add_source(CLI::App* app, Line& line) {
  CLI::App* source = app->add_option_group("source");
  source->add_option("--subnet", line.subnet.subnets, "this node's pods: one of each family")->delimiter(',');
  source->add_option("--node", line.subnet.node_file,
                     "or a Kubernetes Node object, whose podCIDRs are taken; -: standard input");
  source->require_option(1);
  app->add_option("--node-name", line.subnet.node_name, "the node that it has to be of");
}

void add_write(CLI::App* subnet, Line& line) {
  CLI::App* app = subnet->add_subcommand("write", "writes it, unless pods would lose their network");
  add_file(app, line);
  add_wire(app, line);
  app->add_option("--cluster", line.subnet.cluster, "all nodes' pods")->delimiter(',')->required();
  add_source(app, line);
  app->add_option("--mtu", line.subnet.mtu, "of pods: a number, or auto, as the uplink's")->capture_default_str();
  app->add_flag("--ipmasq", line.subnet.ip_masq, "somebody else masquerades, flanneld for example");
  app->add_option("--network", line.subnet.network, "the network that gives these addresses");
  app->add_option("--replaces", line.subnet.replaces, "its file, which will be for other subnets");
  app->add_option("--data-dir", line.subnet.stores.data_dir, "host-local's")->capture_default_str();
  app->add_option("--cache-dir", line.subnet.stores.cache_dir, "libcni's, which knows pods' names")
      ->capture_default_str();
  app->add_flag("--force", line.subnet.force, "also if pods lose their network");
  app->add_flag("--dry-run", line.subnet.dry_run, "changes nothing");
  add_verb(app, line, [&line] { return subnet_write(line.subnet); });
}

void add_subnet(CLI::App& app, Line& line) {
  CLI::App* subnet = app.add_subcommand("subnet", "the file that says which subnet is this node's");
  subnet->require_subcommand(1);
  add_show(subnet, line);
  add_check(subnet, line);
  add_write(subnet, line);
}

void add_lint(CLI::App& app, Line& line) {
  CLI::App* lint = app.add_subcommand("lint", "which network file runtimes use, and which quarrel");
  lint->add_option("PLACE", line.lint.places, "files, or folders of them")->required();
  lint->add_option("--with", line.lint.with, "a file that is meant to be in the folder, and to be used");
  lint->add_flag("--here", line.lint.here, "asks this node, too: its addresses, routes and plugins");
  lint->add_option("--bin", line.lint.bin, "where the plugins have to be (with --here: /opt/cni/bin)");
  lint->add_flag("--fleet", line.lint.fleet, "the places are folders with a file, or a folder, for each node");
  lint->add_flag("--strict", line.lint.strict, "warnings end it with 1, too");
  add_verb(lint, line, [&line] { return run_lint(line.lint, line.json); });
}

void add_places(CLI::App* app, StorePlaces& stores, std::string& plugins, std::vector<std::string>& networks) {
  app->add_option("--network", networks, "this one alone; as often as wanted");
  app->add_option("--data-dir", stores.data_dir, "host-local's")->capture_default_str();
  app->add_option("--cache-dir", stores.cache_dir, "libcni's")->capture_default_str();
  app->add_option("--bin", plugins, "where the plugins are, which do the work")->capture_default_str();
}

void add_gc(CLI::App& app, Line& line) {
  CLI::App* gc = app.add_subcommand("gc", "removes what lost pods hold: a plan first, then by the plan");
  CLI::App* what = gc->add_option_group("what");
  what->add_flag("--dry-run", line.gc_dry_run, "plans, and changes nothing");
  what->add_option("--apply", line.gc.apply, "carries this plan out, if nothing of it has changed; -: standard input");
  what->require_option(1);
  gc->add_option("-o,--output", line.gc.output, "where the plan goes");
  add_witness(gc, line.gc.witness);
  gc->add_flag("--include-unknown", line.gc.choice.include_unknown, "also those of which nothing tells if they live");
  gc->add_flag("--no-pods", line.gc.choice.no_pods, "it is no mistake that no pod is alive");
  add_places(gc, line.gc.stores, line.gc.plugins, line.gc.choice.networks);
  add_verb(gc, line, [&line] {
    line.gc.json = line.json;
    return line.gc_dry_run ? gc_plan(line.gc) : gc_apply(line.gc, protocol::Environment::of_process());
  });
}

void add_resync(CLI::App& app, Line& line) {
  CLI::App* resync = app.add_subcommand("resync", "puts back what the host has lost under its pods");
  CLI::Option* dry_run =
      resync->add_flag("--dry-run", line.resync.dry_run, "says what is missing, and changes nothing");
  resync->add_flag("--watch", line.resync.watch, "goes on: mends what pods lose within a second")->excludes(dry_run);
  add_places(resync, line.resync.stores, line.resync.plugins, line.resync.networks);
  add_verb(resync, line, [&line] {
    line.resync.json = line.json;
    const auto environment = protocol::Environment::of_process();
    return line.resync.watch ? watch(line.resync, environment) : cnioctl::resync(line.resync, environment);
  });
}

void add_explain(CLI::App& app, Line& line) {
  CLI::App* explain = app.add_subcommand("explain", "what a call would do, without doing it");
  explain->require_subcommand(1);
  CLI::App* add = explain->add_subcommand("add", "an ADD on this node, tried where nothing of it stays");
  add->add_option("FILE", line.explain.file, "of the network")->required();
  add->add_option("--ifname", line.explain.ifname, "of the pod's interface")->capture_default_str();
  add->add_option("--args", line.explain.args, "CNI_ARGS: K=V;K2=V2");
  add->add_option("--bin", line.explain.plugins, "where the plugins are, which do the work")->capture_default_str();
  add_verb(add, line, [&line] {
    line.explain.json = line.json;
    return explain_add(line.explain, protocol::Environment::of_process());
  });
}

void add_version(CLI::App& app, Line& line) {
  CLI::App* version = app.add_subcommand("version", "prints it");
  add_verb(version, line, [] { return Outcome{Exit::kWell, "cnioctl v" CNIO_VERSION "\n"}; });
}

// What these print is for people, and nothing else.
bool is_for_people(const CLI::App& app) {
  constexpr const char* kVerbs[] = {"status", "pods", "who", "ipam",   "check", "why",
                                    "tree",   "lint", "gc",  "resync", "diff"};
  const std::string verb = app.get_subcommands().front()->get_name();
  return std::find(std::begin(kVerbs), std::end(kVerbs), verb) != std::end(kVerbs);
}

Outcome usage(const CLI::App& app, const CLI::ParseError& error) {
  std::ostringstream out;
  std::ostringstream err;
  const int status = app.exit(error, out, err);
  return {status == 0 ? Exit::kWell : Exit::kUsage, out.str(), err.str()};
}

}  // namespace

Outcome run(int argc, const char* const* argv) {
  Line line;
  CLI::App app("looks at a node's pod network; see docs/install.md", "cnioctl");
  app.add_flag("--json", line.json, "one object for programs, in place of text for people");
  app.add_option("--color", line.colour, "for people at a terminal")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->capture_default_str();
  app.require_subcommand(1);
  app.fallthrough();
  add_look(app, line.look, line.json, line.verb);
  add_export(app, line.exports, line.json, line.verb);
  add_subnet(app, line);
  add_lint(app, line);
  add_gc(app, line);
  add_resync(app, line);
  add_explain(app, line);
  add_version(app, line);
  add_manual(app, line.verb);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return usage(app, error);
  }
  line.subnet.json = line.json;
  Outcome outcome = line.verb();
  if (!line.json && is_for_people(app) && wants_colour(line.colour)) outcome.out = coloured(outcome.out);
  return outcome;
}

}  // namespace cnio::cnioctl
