// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/cli_look.hpp"

#include <CLI/CLI.hpp>

#include "cnioctl/check.hpp"
#include "cnioctl/ipam.hpp"
#include "cnioctl/lint.hpp"
#include "cnioctl/metrics.hpp"
#include "cnioctl/pods.hpp"
#include "cnioctl/status.hpp"
#include "cnioctl/tree.hpp"
#include "cnioctl/who.hpp"
#include "cnioctl/why.hpp"
#include "cnioctl/world/problems.hpp"

namespace cnio::cnioctl {
namespace {

// What adding a verb takes.
struct Verbs {
  CLI::App& app;
  LookOptions& options;
  const bool& json;
  std::function<Outcome()>& verb;

  CLI::App* add(const std::string& name, const std::string& about, const std::function<Outcome()>& run) {
    CLI::App* added = app.add_subcommand(name, about);
    add_look_places(added, options.places);
    added->callback([this_verb = &verb, run] { *this_verb = run; });
    return added;
  }
};

Outcome run_status(const LookOptions& options, bool json) {
  Facts facts = look_at_facts(options.places);
  for (Attached& each : facts.world.attached) {
    if (!problems_of(each, facts).empty()) name_pod(each);
  }
  return status(facts, lint({{options.places.conf_dir}, {}, false}), json);
}

Facts named(const LookOptions& options) {
  Facts facts = look_at_facts(options.places);
  name_pods(facts.world);
  return facts;
}

void add_pods(Verbs& verbs, const LookOptions& options, const bool& json) {
  CLI::App* app = verbs.add("pods", "a table of pods", [&] { return pods(named(options), options.all, json); });
  app->add_flag("--all", verbs.options.all, "those whose sandbox is gone, too");
}

void add_who(Verbs& verbs, const LookOptions& options, const bool& json) {
  CLI::App* app = verbs.add("who", "all that is known of one thing", [&] {
    Facts facts = look_at_facts(options.places);
    return who(facts, options.thing, json);
  });
  app->add_option("THING", verbs.options.thing,
                  "an address, a port of the host (8080, udp/53), a link, a pod (default/web) or a container")
      ->required();
}

void add_ipam(Verbs& verbs, const LookOptions& options, const bool& json) {
  CLI::App* app = verbs.add("ipam", "host-local's addresses by state", [&] {
    const bool list = !options.state.empty();
    return ipam(list ? named(options) : look_at_facts(options.places), options.state, json);
  });
  app->add_option("--state", verbs.options.state, "each address of this state, and why")
      ->check(CLI::IsMember({"live", "rebooted", "gone", "unknown", "foreign", "stale"}));
}

void add_check(Verbs& verbs, const LookOptions& options, const bool& json) {
  CLI::App* app = verbs.add("check", "compares pods with what ADD made", [&] {
    Facts facts = look_at_facts(options.places);
    return check(facts, {options.bin, protocol::Environment::of_process()}, options.check, json);
  });
  app->add_option("POD", verbs.options.check.pods, "pods (default/web) or containers; none: all");
  app->add_flag("--ping", verbs.options.check.ping, "also whether each pod's gateways answer an echo");
  app->add_option("--bin", verbs.options.bin, "where the plugins are")->capture_default_str();
}

void add_why(Verbs& verbs, const LookOptions& options, const bool& json) {
  CLI::App* app = verbs.add("why", "calls of the plugins that failed, and what is so now", [&] {
    Facts facts = named(options);
    facts.failures = read_failures(facts.world.blind);
    return why(facts, options.thing, json);
  });
  app->add_option("THING", verbs.options.thing, "a pod (default/web), a container or a network; none: all");
}

void add_metrics(Verbs& verbs, const LookOptions& options, const bool& json) {
  CLI::App* app = verbs.add("metrics", "for node exporter's textfile collector", [&] {
    Facts facts = look_at_facts(options.places);
    facts.failures = read_failures(facts.world.blind);
    return metrics(facts, options.file, json);
  });
  app->add_option("-o,--output", verbs.options.file, "a file that is replaced as a whole");
}

}  // namespace

void add_witness(CLI::App* app, WitnessOptions& witness) {
  app->add_option("--valid", witness.valid_file, "containers that a runtime knows, one a line: these live");
  app->add_option("--runtime", witness.runtime, "asks it which containers it knows; auto: all of these that are here")
      ->check(CLI::IsMember({"none", "auto", "crictl", "podman"}))
      ->capture_default_str();
}

void add_look_places(CLI::App* app, Places& places) {
  app->add_option("--data-dir", places.stores.data_dir, "host-local's")->capture_default_str();
  app->add_option("--cache-dir", places.stores.cache_dir, "libcni's")->capture_default_str();
  app->add_option("--conf-dir", places.conf_dir, "of the networks' files")->capture_default_str();
  app->add_option("--network", places.networks, "this one alone; as often as wanted")->allow_extra_args(false);
  add_witness(app, places.witness);
}

void add_look(CLI::App& app, LookOptions& options, const bool& json, std::function<Outcome()>& verb) {
  Verbs verbs{app, options, json, verb};
  verbs.add("status", "is this node's pod network well?", [&] { return run_status(options, json); });
  add_pods(verbs, options, json);
  add_who(verbs, options, json);
  add_ipam(verbs, options, json);
  add_check(verbs, options, json);
  verbs.add("tree", "the node as a picture in the terminal", [&] { return tree(named(options), json); });
  add_why(verbs, options, json);
  add_metrics(verbs, options, json);
}

}  // namespace cnio::cnioctl
