// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace cnio {

// A 48-bit Ethernet address.
class MacAddr {
 public:
  // aa:bb:cc:dd:ee:ff, aa-bb-cc-dd-ee-ff or aabb.ccdd.eeff, any case.
  static std::optional<MacAddr> parse(std::string_view text);
  static MacAddr from_bytes(const void* six_bytes);
  // A fresh locally administered unicast address from the kernel's random source.
  static MacAddr random();
  // The same with the highest first byte that such an address can have, fe. A bridge whose address nobody has set takes
  // the lowest one of its ports: a port with this one does not give the host another address.
  static MacAddr random_high();

  [[nodiscard]] const uint8_t* data() const { return bytes_.data(); }
  // Lower case with colons.
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] bool is_multicast() const { return (bytes_[0] & 1U) != 0; }
  [[nodiscard]] bool is_zero() const { return bytes_ == std::array<uint8_t, 6>{}; }

  auto operator<=>(const MacAddr&) const = default;

 private:
  std::array<uint8_t, 6> bytes_{};
};

}  // namespace cnio
