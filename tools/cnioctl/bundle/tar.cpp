// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#include "cnioctl/bundle/tar.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

namespace cnio::cnioctl {
namespace {

constexpr size_t kTarBlock = 512;

// pax(1), "ustar Header Block".
struct HeaderField {
  size_t at;
  size_t size;
};
constexpr HeaderField kName{0, 100};
constexpr HeaderField kMode{100, 8};
constexpr HeaderField kUser{108, 8};
constexpr HeaderField kGroup{116, 8};
constexpr HeaderField kSize{124, 12};
constexpr HeaderField kTime{136, 12};
constexpr HeaderField kSum{148, 8};
constexpr HeaderField kType{156, 1};
constexpr HeaderField kMagic{257, 8};  // with the version

void put(std::string& header, const HeaderField& field, std::string_view text) {
  header.replace(field.at, std::min(field.size, text.size()), text.substr(0, field.size));
}

// Octal digits and a NUL.
void put_number(std::string& header, const HeaderField& field, uint64_t number) {
  std::array<char, 32> text{};
  const int digits = static_cast<int>(field.size) - 1;
  std::snprintf(text.data(), text.size(), "%0*llo", digits, static_cast<unsigned long long>(number));
  put(header, field, {text.data(), field.size});
}

// Of all bytes of the header, with the field of the sum itself as blanks.
void put_sum(std::string& header) {
  put(header, kSum, "        ");
  uint64_t sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put_number(header, {kSum.at, kSum.size - 1}, sum);
}

std::string header_of(const TarFile& file, int64_t seconds) {
  std::string header(kTarBlock, '\0');
  put(header, kName, file.name);
  put_number(header, kMode, 0600);
  put_number(header, kUser, 0);
  put_number(header, kGroup, 0);
  put_number(header, kSize, file.content.size());
  put_number(header, kTime, static_cast<uint64_t>(std::max<int64_t>(seconds, 0)));
  put(header, kType, "0");
  put(header, kMagic,
      std::string_view("ustar\0"
                       "00",
                       8));
  put_sum(header);
  return header;
}

}  // namespace

std::string tar_of(const std::vector<TarFile>& files, int64_t seconds) {
  std::string out;
  for (const TarFile& each : files) {
    out += header_of(each, seconds) + each.content;
    out.append((kTarBlock - out.size() % kTarBlock) % kTarBlock, '\0');
  }
  return out.append(2 * kTarBlock, '\0');
}

}  // namespace cnio::cnioctl
