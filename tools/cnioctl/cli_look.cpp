// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/cli_look.hpp"

#include "cnioctl/command_line/common_options.hpp"
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

template <auto... kPath>
constexpr Field look_field() {
  return field<&Line::look, kPath...>();
}

constexpr Option kPods[] = {
    {.name = "all", .about = "those whose sandbox is gone, too", .to = look_field<&LookOptions::all>()}};

constexpr Option kWho[] = {
    {.name = "THING",
     .about = "an address, a port of the host (8080, udp/53), a link, a pod (default/web) or a container",
     .need = Need::kRequired,
     .to = look_field<&LookOptions::thing>()}};

constexpr Option kIpam[] = {{.name = "state",
                             .value = "STATE",
                             .choices = "live|rebooted|gone|unknown|foreign|stale",
                             .about = "each address of this state, and why",
                             .to = look_field<&LookOptions::state>()}};

constexpr Option kCheck[] = {{.name = "POD",
                              .about = "pods (default/web) or containers; none: all",
                              .to = look_field<&LookOptions::check, &CheckOptions::pods>()},
                             {.name = "ping",
                              .about = "also whether each pod's gateways answer an echo",
                              .to = look_field<&LookOptions::check, &CheckOptions::ping>()},
                             bin_option(look_field<&LookOptions::bin>())};

constexpr Option kWhy[] = {{.name = "THING",
                            .about = "a pod (default/web), a container or a network; none: all",
                            .to = look_field<&LookOptions::thing>()}};

constexpr Option kMetrics[] = {{.letter = 'o',
                                .name = "output",
                                .value = kFile,
                                .about = "a file that is replaced as a whole",
                                .to = look_field<&LookOptions::file>()}};

Outcome run_status(Line& line) {
  Facts facts = look_at_facts(line.places);
  for (Attached& each : facts.world.attached) {
    if (!problems_of(each, facts).empty()) name_pod(each);
  }
  return status(facts, lint({{line.places.conf_dir}, {}, false}), line.json);
}

Facts named(const Line& line) {
  Facts facts = look_at_facts(line.places);
  name_pods(facts.world);
  return facts;
}

Outcome run_pods(Line& line) { return pods(named(line), line.look.all, line.json); }

Outcome run_who(Line& line) {
  Facts facts = look_at_facts(line.places, Depth::kPods);
  return who(facts, line.look.thing, line.json);
}

Outcome run_ipam(Line& line) {
  Facts facts = look_at_facts(line.places, Depth::kStores);
  if (!line.look.state.empty()) name_pods(facts.world);
  return ipam(facts, line.look.state, line.json);
}

Outcome run_check(Line& line) {
  Facts facts = look_at_facts(line.places);
  return check(facts, {line.look.bin, protocol::Environment::of_process()}, line.look.check, line.json);
}

Outcome run_tree(Line& line) { return tree(named(line), line.json); }

Outcome run_why(Line& line) {
  Facts facts = named(line);
  facts.failures = read_failures(facts.world.blind);
  return why(facts, line.look.thing, line.json);
}

Outcome run_metrics(Line& line) {
  Facts facts = look_at_facts(line.places);
  facts.failures = read_failures(facts.world.blind);
  return metrics(facts, line.look.file, line.json);
}

constexpr Verb kLookVerbs[] = {
    {"status", "is this node's pod network well?", {kLookPlaces}, run_status, true},
    {"pods", "a table of pods", {kLookPlaces, kPods}, run_pods, true},
    {"who", "all that is known of one thing", {kLookPlaces, kWho}, run_who, true},
    {"ipam", "host-local's addresses by state", {kLookPlaces, kIpam}, run_ipam, true},
    {"check", "compares pods with what ADD made", {kLookPlaces, kCheck}, run_check, true},
    {"tree", "the node as a picture in the terminal", {kLookPlaces}, run_tree, true},
    {"why", "calls of the plugins that failed, and what is so now", {kLookPlaces, kWhy}, run_why, true},
    {"metrics", "for node exporter's textfile collector", {kLookPlaces, kMetrics}, run_metrics},
};

}  // namespace

std::span<const Verb> look_verbs() { return kLookVerbs; }

}  // namespace cnio::cnioctl
