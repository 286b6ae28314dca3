// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/cli_export.hpp"

#include <nlohmann/json.hpp>

#include "cnio/base/unique_fd.hpp"

#include "cnioctl/command_line/common_options.hpp"
#include "cnioctl/describe.hpp"
#include "cnioctl/output.hpp"
#include "cnioctl/picture/picture.hpp"
#include "cnioctl/print.hpp"
#include "cnioctl/snapshot/diff.hpp"
#include "cnioctl/snapshot/snapshot.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Json;

constexpr size_t kMaxSnapshot = size_t{256} << 20;

template <auto kMember>
constexpr Field export_field() {
  return field<&Line::exports, kMember>();
}
template <auto kMember>
constexpr Field bundle_field() {
  return field<&Line::exports, &ExportOptions::bundle, kMember>();
}

constexpr Option kPicture[] = {{.letter = 'o',
                                .name = "output",
                                .value = kFile,
                                .about = "a file: .svg, or .dot for Graphviz; -: standard output",
                                .need = Need::kRequired,
                                .to = export_field<&ExportOptions::output>()}};

constexpr Option kSnapshot[] = {{.letter = 'o',
                                 .name = "output",
                                 .value = kFile,
                                 .about = "a file that is replaced as a whole",
                                 .to = export_field<&ExportOptions::output>()}};

constexpr Option kDiff[] = {{.name = "A",
                             .value = kFile,
                             .about = "a snapshot",
                             .need = Need::kRequired,
                             .to = export_field<&ExportOptions::before>()},
                            {.name = "B",
                             .value = kFile,
                             .about = "a later one; none: the node as it is now",
                             .to = export_field<&ExportOptions::after>()}};

constexpr Option kBundle[] = {{.letter = 'o',
                               .name = "output",
                               .value = kFile,
                               .about = "the tar; -: standard output",
                               .need = Need::kOneOf,
                               .to = bundle_field<&BundleOptions::output>()},
                              {.name = "dry-run",
                               .about = "lists what would be in it",
                               .need = Need::kOneOf,
                               .to = bundle_field<&BundleOptions::dry_run>()},
                              {.name = "redact",
                               .about = "replaces names of pods and of the node, and public addresses",
                               .to = bundle_field<&BundleOptions::redact>()},
                              bin_option(export_field<&ExportOptions::bin>())};

// All that is known.
Facts look(const Line& line) {
  Facts facts = look_at_facts(line.places);
  name_pods(facts.world);
  add_routes(facts);
  return facts;
}

Json snapshot_now(Facts& facts, const Line& line) {
  const auto files = read_conf_files(line.places.conf_dir, facts.world.blind);
  return snapshot_of(facts, files);
}

Result<Json> read_snapshot(const std::string& path) {
  CNIO_LET(const std::string text, read_file(path, kMaxSnapshot));
  auto parsed = parse_snapshot(text);
  if (!parsed.ok()) return std::move(parsed).error().context(path);
  return parsed;
}

Outcome diff_with_now(const Line& line, const Json& before) {
  Facts facts = look(line);
  Outcome out = diff(before, snapshot_now(facts, line).at("snapshot"), line.json);
  const Outcome seen = outcome_of(facts, out.exit == Exit::kFound, {});
  return {seen.exit, std::move(out.out), seen.err};
}

Outcome run_diff(Line& line) {
  const auto before = read_snapshot(line.exports.before);
  if (!before.ok()) return failure(before.error(), Exit::kUsage);
  if (line.exports.after.empty()) return diff_with_now(line, before.value());
  const auto after = read_snapshot(line.exports.after);
  if (!after.ok()) return failure(after.error(), Exit::kUsage);
  return diff(before.value(), after.value(), line.json);
}

Outcome run_picture(Line& line) { return picture(look(line), line.exports.output); }

Outcome run_snapshot(Line& line) {
  Facts facts = look(line);
  return deliver(facts, line.exports.output, json_text(snapshot_now(facts, line)));
}

Outcome run_bundle(Line& line) {
  Facts facts = look(line);
  line.exports.bundle.conf_dir = line.places.conf_dir;
  line.exports.bundle.json = line.json;
  return bundle(facts, {line.exports.bin, protocol::Environment::of_process()}, line.exports.bundle);
}

constexpr Verb kExportVerbs[] = {
    {"picture", "the node as a picture", {kLookPlaces, kPicture}, run_picture},
    {"snapshot", "all that is known of the node, as JSON", {kLookPlaces, kSnapshot}, run_snapshot},
    {"diff", "what has changed between two snapshots, or since one", {kLookPlaces, kDiff}, run_diff, true},
    {"bundle", "a tar for a bug report", {kLookPlaces, kBundle}, run_bundle},
};

}  // namespace

std::span<const Verb> export_verbs() { return kExportVerbs; }

}  // namespace cnio::cnioctl
