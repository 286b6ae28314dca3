// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
//
// A plan as JSON, for the time between looking and acting.
#include <nlohmann/json.hpp>

#include "cnio/attachment/json_text.hpp"
#include "cnio/protocol/json.hpp"

#include "cnioctl/gc_plan.hpp"
#include "cnioctl/print.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Fields;
using protocol::Json;

// Names may be any bytes, and a plan must find them again.
std::string packed(const std::string& text) { return attachment::to_json_text(text); }

Json json_of(const Doomed& doomed) {
  Json objects = Json::array();
  for (const DoomedObject& each : doomed.objects) {
    objects.push_back({{"kind", each.kind}, {"name", packed(each.name)}, {"stamp", packed(each.stamp)}});
  }
  return {{"network", packed(doomed.who.network)},
          {"container", packed(doomed.who.attachment.container_id)},
          {"ifname", packed(doomed.who.attachment.ifname)},
          {"pod", packed(doomed.pod)},
          {"life", std::string(to_string(doomed.life))},
          {"reason", packed(doomed.reason)},
          {"objects", std::move(objects)}};
}

Result<std::string> unpacked(const Fields& fields, std::string_view key) {
  CNIO_LET(const std::string text, fields.text(key));
  return attachment::from_json_text(text);
}

Result<Doomed> doomed_of(const Fields& fields) {
  Doomed out;
  CNIO_LET(out.who.network, unpacked(fields, "network"));
  CNIO_LET(out.who.attachment.container_id, unpacked(fields, "container"));
  CNIO_LET(out.who.attachment.ifname, unpacked(fields, "ifname"));
  CNIO_LET(out.pod, unpacked(fields, "pod"));
  CNIO_LET(out.reason, unpacked(fields, "reason"));
  CNIO_LET(const std::string life, fields.text("life"));
  out.life = life == to_string(Life::kRebooted) ? Life::kRebooted : Life::kGone;
  CNIO_LET(const std::vector<Fields> objects, fields.objects("objects"));
  for (const Fields& each : objects) {
    DoomedObject object;
    CNIO_LET(object.kind, each.text("kind"));
    CNIO_LET(object.name, unpacked(each, "name"));
    CNIO_LET(object.stamp, unpacked(each, "stamp"));
    out.objects.push_back(std::move(object));
  }
  return out;
}

Status take_choice(const Fields& fields, GcChoice& out) {
  CNIO_LET(out.networks, fields.texts("networks"));
  CNIO_LET(out.include_unknown, fields.boolean("includeUnknown"));
  CNIO_LET(out.no_pods, fields.boolean("noPods"));
  if (!fields.has("valid")) return {};
  CNIO_LET(const std::vector<std::string> valid, fields.texts("valid"));
  out.valid = std::set<std::string>(valid.begin(), valid.end());
  return {};
}

Error no_plan(const std::string& why) { return Error::make(Code::kDecode, "this is no plan of gc: " + why); }

}  // namespace

std::string format_plan(const GcPlan& plan) {
  Json remove = Json::array();
  for (const Doomed& each : plan.remove) remove.push_back(json_of(each));
  Json gc = {{"made", plan.made},
             {"host", plan.host},
             {"networks", plan.choice.networks},
             {"valid", plan.choice.valid ? Json(*plan.choice.valid) : Json()},
             {"includeUnknown", plan.choice.include_unknown},
             {"noPods", plan.choice.no_pods},
             {"live", plan.live},
             {"unknown", plan.unknown},
             {"foreign", plan.foreign},
             {"remove", std::move(remove)}};
  return protocol::format_json({{"schema", kSchema}, {"gc", std::move(gc)}}) + "\n";
}

Result<GcPlan> parse_plan(std::string_view text) {
  CNIO_LET(const Json json, protocol::parse_json(text));
  if (!json.is_object()) return no_plan("it is no object");
  const Fields whole(json, {}, Code::kDecode);
  CNIO_LET(const std::string schema, whole.text("schema"));
  if (schema != kSchema || !whole.has("gc")) return no_plan("its schema is another");
  CNIO_LET(const Fields fields, whole.object("gc"));
  GcPlan out;
  CNIO_LET(const auto made, fields.integer("made"));
  CNIO_LET(const auto host, fields.integer("host"));
  if (!made || !host) return no_plan("it does not say when and where it was made");
  out.made = *made;
  out.host = static_cast<uint64_t>(*host);
  CNIO_TRY(take_choice(fields, out.choice));
  CNIO_LET(const std::vector<Fields> remove, fields.objects("remove"));
  for (const Fields& each : remove) {
    CNIO_LET(Doomed doomed, doomed_of(each));
    out.remove.push_back(std::move(doomed));
  }
  return out;
}

}  // namespace cnio::cnioctl
