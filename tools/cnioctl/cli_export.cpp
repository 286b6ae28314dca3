// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/cli_export.hpp"

#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>

#include "cnio/base/unique_fd.hpp"

#include "cnioctl/cli_look.hpp"
#include "cnioctl/describe.hpp"
#include "cnioctl/output.hpp"
#include "cnioctl/picture/picture.hpp"
#include "cnioctl/print.hpp"
#include "cnioctl/snapshot/diff.hpp"
#include "cnioctl/snapshot/snapshot.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Json;
using Verb = std::function<Outcome()>;

constexpr size_t kMaxSnapshot = size_t{256} << 20;

CLI::App* add(CLI::App& app, const std::string& name, const std::string& about, ExportOptions& options, Verb& verb,
              const Verb& run) {
  CLI::App* added = app.add_subcommand(name, about);
  add_look_places(added, options.places);
  added->callback([&verb, run] { verb = run; });
  return added;
}

// All that is known.
Facts look(const ExportOptions& options) {
  Facts facts = look_at_facts(options.places);
  name_pods(facts.world);
  add_routes(facts);
  return facts;
}

Json snapshot_now(Facts& facts, const ExportOptions& options) {
  const auto files = read_conf_files(options.places.conf_dir, facts.world.blind);
  return snapshot_of(facts, files);
}

Result<Json> read_snapshot(const std::string& path) {
  CNIO_LET(const std::string text, read_file(path, kMaxSnapshot));
  auto parsed = parse_snapshot(text);
  if (!parsed.ok()) return std::move(parsed).error().context(path);
  return parsed;
}

Outcome diff_with_now(const ExportOptions& options, const Json& before, bool json) {
  Facts facts = look(options);
  Outcome out = diff(before, snapshot_now(facts, options).at("snapshot"), json);
  const Outcome seen = outcome_of(facts, out.exit == Exit::kFound, {});
  return {seen.exit, std::move(out.out), seen.err};
}

Outcome run_diff(const ExportOptions& options, bool json) {
  const auto before = read_snapshot(options.before);
  if (!before.ok()) return failure(before.error(), Exit::kUsage);
  if (options.after.empty()) return diff_with_now(options, before.value(), json);
  const auto after = read_snapshot(options.after);
  if (!after.ok()) return failure(after.error(), Exit::kUsage);
  return diff(before.value(), after.value(), json);
}

void add_picture(CLI::App& app, ExportOptions& options, Verb& verb) {
  CLI::App* added = add(app, "picture", "the node as a picture", options, verb,
                        [&options] { return picture(look(options), options.output); });
  added->add_option("-o,--output", options.output, "a file: .svg, or .dot for Graphviz; -: standard output")
      ->required();
}

void add_snapshot(CLI::App& app, ExportOptions& options, Verb& verb) {
  CLI::App* added = add(app, "snapshot", "all that is known of the node, as JSON", options, verb, [&options] {
    Facts facts = look(options);
    return deliver(facts, options.output, json_text(snapshot_now(facts, options)));
  });
  added->add_option("-o,--output", options.output, "a file that is replaced as a whole");
}

void add_diff(CLI::App& app, ExportOptions& options, const bool& json, Verb& verb) {
  CLI::App* added = add(app, "diff", "what has changed between two snapshots, or since one", options, verb,
                        [&options, &json] { return run_diff(options, json); });
  added->add_option("A", options.before, "a snapshot")->required();
  added->add_option("B", options.after, "a later one; none: the node as it is now");
}

void add_bundle(CLI::App& app, ExportOptions& options, const bool& json, Verb& verb) {
  CLI::App* added = add(app, "bundle", "a tar for a bug report", options, verb, [&options, &json] {
    Facts facts = look(options);
    options.bundle.conf_dir = options.places.conf_dir;
    options.bundle.json = json;
    return bundle(facts, {options.bin, protocol::Environment::of_process()}, options.bundle);
  });
  CLI::App* what = added->add_option_group("what");
  what->add_option("-o,--output", options.bundle.output, "the tar; -: standard output");
  what->add_flag("--dry-run", options.bundle.dry_run, "lists what would be in it");
  what->require_option(1);
  added->add_flag("--redact", options.bundle.redact, "replaces names of pods and of the node, and public addresses");
  added->add_option("--bin", options.bin, "where the plugins are")->capture_default_str();
}

}  // namespace

void add_export(CLI::App& app, ExportOptions& options, const bool& json, Verb& verb) {
  add_picture(app, options, verb);
  add_snapshot(app, options, verb);
  add_diff(app, options, json, verb);
  add_bundle(app, options, json, verb);
}

}  // namespace cnio::cnioctl
