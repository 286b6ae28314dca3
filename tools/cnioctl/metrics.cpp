// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/metrics.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include <nlohmann/json.hpp>

#include "cnioctl/output.hpp"
#include "cnioctl/print.hpp"
#include "cnioctl/world/problems.hpp"

namespace cnio::cnioctl {
namespace {

using protocol::Json;
using Labels = std::vector<std::pair<std::string, std::string>>;

struct Sample {
  Labels labels;
  uint64_t value = 0;
};
struct Metric {
  std::string name;
  std::string help;
  std::vector<Sample> samples = {};
  std::string type = "gauge";
};

// As the format has it: a backslash before a backslash, a quote and a line break.
std::string escaped_label(const std::string& text) {
  std::string out;
  for (const char c : shown(text)) {
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
  return out;
}

Metric addresses(const Facts& facts) {
  Metric out{"cnio_addresses", "Addresses in host-local's store, by state."};
  for (const NetworkPools& network : facts.pools) {
    for (const Pool& pool : network.pools) {
      const std::pair<const char*, size_t> states[] = {{"live", pool.live},
                                                       {"rebooted", pool.rebooted},
                                                       {"gone", pool.gone},
                                                       {"unknown", pool.unknown},
                                                       {"foreign", pool.foreign}};
      for (const auto& [state, count] : states) {
        out.samples.push_back({{{"network", network.network}, {"range", pool.range}, {"state", state}}, count});
      }
    }
  }
  return out;
}

Metric sizes(const Facts& facts) {
  Metric out{"cnio_addresses_size", "How many addresses a range gives."};
  for (const NetworkPools& network : facts.pools) {
    for (const Pool& pool : network.pools) {
      if (pool.size != 0) out.samples.push_back({{{"network", network.network}, {"range", pool.range}}, pool.size});
    }
  }
  return out;
}

Metric attachments(const Facts& facts) {
  Metric out{"cnio_attachments", "Interfaces of containers, by state."};
  std::map<std::pair<std::string, std::string>, uint64_t> counts;
  for (const Attached& each : facts.world.attached) ++counts[{each.who.network, std::string(to_string(each.life()))}];
  for (const auto& [key, count] : counts)
    out.samples.push_back({{{"network", key.first}, {"state", key.second}}, count});
  return out;
}

// All kinds, so that an alert sees a problem come and go.
Metric problems(const Facts& facts) {
  Metric out{"cnio_problems", "What cnioctl status finds wrong, by kind."};
  const auto found = find_problems(facts);
  for (const std::string_view kind : kProblemKinds) {
    const auto count =
        std::count_if(found.begin(), found.end(), [&](const Problem& each) { return each.kind == kind; });
    out.samples.push_back({{{"kind", std::string(kind)}}, static_cast<uint64_t>(count)});
  }
  out.samples.push_back({{{"kind", "foreign-file"}}, facts.world.foreign.size()});
  return out;
}

Metric oldest_stale(const Facts& facts) {
  Metric out{"cnio_oldest_stale_seconds", "Age of the oldest reservation whose container is gone."};
  std::map<std::string, uint64_t> ages;
  for (const Attached& attached : facts.world.attached) {
    if (!is_stale(attached.life())) continue;
    for (const HeldAddress& each : attached.addresses) {
      const long long age = each.made == 0 ? 0 : std::max(0LL, facts.node.now - static_cast<long long>(each.made));
      ages[attached.who.network] = std::max(ages[attached.who.network], static_cast<uint64_t>(age));
    }
  }
  for (const auto& [network, age] : ages) out.samples.push_back({{{"network", network}}, age});
  return out;
}

Metric failures(const Facts& facts) {
  Metric out{"cnio_failures_total", "Calls of plugins that failed since the last boot.", {}, "counter"};
  for (const auto& [kind, count] : facts.failures.totals) {
    const auto& [verb, plugin, code] = kind;
    out.samples.push_back({{{"verb", verb}, {"plugin", plugin}, {"code", std::to_string(code)}}, count});
  }
  return out;
}

std::vector<Metric> all_of(const Facts& facts) {
  Metric look{"cnio_last_look_timestamp_seconds", "When this was looked at."};
  look.samples.push_back({{}, static_cast<uint64_t>(facts.node.now)});
  return {addresses(facts), sizes(facts), attachments(facts), problems(facts), oldest_stale(facts),
          failures(facts),  look};
}

std::string text_of(const std::vector<Metric>& metrics) {
  std::string out;
  for (const Metric& metric : metrics) {
    out += "# HELP " + metric.name + " " + metric.help + "\n# TYPE " + metric.name + " " + metric.type + "\n";
    for (const Sample& sample : metric.samples) {
      std::string labels;
      for (const auto& [name, value] : sample.labels) {
        labels += (labels.empty() ? "{" : ",") + name + "=\"" + escaped_label(value) + "\"";
      }
      out += metric.name + labels + (labels.empty() ? " " : "} ") + std::to_string(sample.value) + "\n";
    }
  }
  return out;
}

std::string json_of(const std::vector<Metric>& metrics) {
  Json list = Json::array();
  for (const Metric& metric : metrics) {
    for (const Sample& sample : metric.samples) {
      Json labels = Json::object();
      for (const auto& [name, value] : sample.labels) labels[name] = value;
      list.push_back({{"name", metric.name}, {"labels", std::move(labels)}, {"value", sample.value}});
    }
  }
  return json_text({{"schema", kSchema}, {"metrics", std::move(list)}});
}

}  // namespace

Outcome metrics(const Facts& facts, const std::string& file, bool json) {
  const auto all = all_of(facts);
  std::string text = json ? json_of(all) : text_of(all);
  return deliver(facts, file, std::move(text), Readers::kAll);  // node exporter is not root
}

}  // namespace cnio::cnioctl
