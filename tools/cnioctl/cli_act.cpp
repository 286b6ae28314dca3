// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/cli_act.hpp"

#include "cnioctl/command_line/common_options.hpp"
#include "cnioctl/watch.hpp"

namespace cnio::cnioctl {
namespace {

template <auto kMember>
constexpr Field lint_field() {
  return field<&Line::lint, kMember>();
}
template <auto... kPath>
constexpr Field gc_field() {
  return field<&Line::gc, kPath...>();
}
template <auto... kPath>
constexpr Field resync_field() {
  return field<&Line::resync, kPath...>();
}
template <auto kMember>
constexpr Field explain_field() {
  return field<&Line::explain, kMember>();
}

constexpr Option kLint[] = {
    {.name = "PLACE",
     .value = kFile,
     .about = "files, or folders of them",
     .need = Need::kRequired,
     .to = lint_field<&LintOptions::places>()},
    {.name = "with",
     .value = kFile,
     .about = "a file that is meant to be in the folder, and to be used",
     .to = lint_field<&LintOptions::with>()},
    {.name = "here",
     .about = "asks this node, too: its addresses, routes and plugins",
     .to = lint_field<&LintOptions::here>()},
    {.name = "bin",
     .value = kFolder,
     .about = "where the plugins have to be (with --here: /opt/cni/bin)",
     .to = lint_field<&LintOptions::bin>()},
    {.name = "fleet",
     .about = "the places are folders with a file, or a folder, for each node",
     .to = lint_field<&LintOptions::fleet>()},
    {.name = "strict", .about = "warnings end it with 1, too", .to = lint_field<&LintOptions::strict>()}};

constexpr Option kGc[] = {
    {.name = "dry-run", .about = "plans, and changes nothing", .need = Need::kOneOf, .to = field<&Line::gc_dry_run>()},
    {.name = "apply",
     .value = kFile,
     .about = "carries this plan out, if nothing of it has changed; -: standard input",
     .need = Need::kOneOf,
     .to = gc_field<&GcOptions::apply>()},
    {.letter = 'o',
     .name = "output",
     .value = kFile,
     .about = "where the plan goes",
     .to = gc_field<&GcOptions::output>()},
    valid_option(gc_field<&GcOptions::witness, &WitnessOptions::valid_file>()),
    runtime_option(gc_field<&GcOptions::witness, &WitnessOptions::runtime>()),
    {.name = "include-unknown",
     .about = "also those of which nothing tells if they live",
     .to = gc_field<&GcOptions::choice, &GcChoice::include_unknown>()},
    {.name = "no-pods",
     .about = "it is no mistake that no pod is alive",
     .to = gc_field<&GcOptions::choice, &GcChoice::no_pods>()},
    network_option(gc_field<&GcOptions::choice, &GcChoice::networks>()),
    data_dir_option(gc_field<&GcOptions::stores, &StorePlaces::data_dir>()),
    cache_dir_option(gc_field<&GcOptions::stores, &StorePlaces::cache_dir>()),
    bin_option(gc_field<&GcOptions::plugins>())};

constexpr Option kResync[] = {{.name = "dry-run",
                               .about = "says what is missing, and changes nothing",
                               .need = Need::kAtMostOne,
                               .to = resync_field<&ResyncOptions::dry_run>()},
                              {.name = "watch",
                               .about = "goes on: mends what pods lose within a second",
                               .need = Need::kAtMostOne,
                               .to = resync_field<&ResyncOptions::watch>()},
                              network_option(resync_field<&ResyncOptions::networks>()),
                              data_dir_option(resync_field<&ResyncOptions::stores, &StorePlaces::data_dir>()),
                              cache_dir_option(resync_field<&ResyncOptions::stores, &StorePlaces::cache_dir>()),
                              bin_option(resync_field<&ResyncOptions::plugins>())};

constexpr Option kExplain[] = {
    {.name = "FILE",
     .value = kFile,
     .about = "of the network",
     .need = Need::kRequired,
     .to = explain_field<&ExplainOptions::file>()},
    {.name = "ifname",
     .value = "LINK",
     .about = "of the pod's interface",
     .to = explain_field<&ExplainOptions::ifname>()},
    {.name = "args", .value = "ARGS", .about = "CNI_ARGS: K=V;K2=V2", .to = explain_field<&ExplainOptions::args>()},
    bin_option(explain_field<&ExplainOptions::plugins>())};

Outcome run_lint(Line& line) { return run_lint(line.lint, line.json); }

Outcome run_gc(Line& line) {
  line.gc.json = line.json;
  return line.gc_dry_run ? gc_plan(line.gc) : gc_apply(line.gc, protocol::Environment::of_process());
}

Outcome run_resync(Line& line) {
  line.resync.json = line.json;
  const auto environment = protocol::Environment::of_process();
  return line.resync.watch ? watch(line.resync, environment) : resync(line.resync, environment);
}

Outcome run_explain(Line& line) {
  line.explain.json = line.json;
  return explain_add(line.explain, protocol::Environment::of_process());
}

constexpr Verb kActVerbs[] = {
    {"lint", "which network file runtimes use, and which quarrel", {kLint}, run_lint, true},
    {"gc", "removes what lost pods hold: a plan first, then by the plan", {kGc}, run_gc, true},
    {"resync", "puts back what the host has lost under its pods", {kResync}, run_resync, true},
    {"explain", "what a call would do, without doing it"},
    {"explain add", "an ADD on this node, tried where nothing of it stays", {kExplain}, run_explain},
};

}  // namespace

std::span<const Verb> act_verbs() { return kActVerbs; }

}  // namespace cnio::cnioctl
