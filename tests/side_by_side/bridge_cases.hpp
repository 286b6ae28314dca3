// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include "plugin/configs.hpp"
#include "support/side_by_side.hpp"

// What the tables of bridge share.
namespace cnio::test {

inline const std::vector<Step> kLife{"ADD", "CHECK", "DEL", "DEL"};
inline const std::vector<Step> kAllRefused{"!ADD", "!CHECK", "!STATUS", "!GC", "!DEL"};

// Differences that more than one case shows.
inline const Difference kLeftPair{"^reference: .*(eth0|<host end)", "D14: a failed ADD takes its veth pair away"};
inline const Difference kLeftBridge{"^reference: host (br0|sysctl ipv./conf/br0/)",
                                    "what can be known before is checked before the bridge is made"};
inline const Difference kNewBridge{"^reference: host (br0|sysctl ipv./conf/br0/)",
                                   "a failed ADD takes a bridge away that it made"};
inline const Difference kBlindCheck{"^(reference: (outcome succeeded|stdout)|ours: outcome refused)",
                                    "D10: CHECK sees more", "!CHECK"};
inline const Difference kFalseAlarm{"^(reference: outcome refused|ours: (outcome succeeded|stdout))",
                                    "D9: CHECK raises no false alarm", "CHECK"};
inline Difference only_ours(const std::string& reason) { return {".", reason}; }

// A namespace goes when nobody asks any more, and takes its links with it.
inline const char* const kNamespaceUnmounted =
    "$ umount /run/netns/c1; while ip -br link show type veth | grep -q .; do sleep 0.02; done";
inline const char* const kNamespaceGone =
    "$ ip netns del c1; while ip -br link show type veth | grep -q .; do sleep 0.02; done";

inline Json gateway() { return bridge_config(); }
inline Json plain(const std::vector<std::string>& subnets = {"10.1.0.0/24"}) {
  Json config = bridge_config(subnets);
  config.erase("isDefaultGateway");
  return config;
}

}  // namespace cnio::test
