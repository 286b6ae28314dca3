// Copyright the cnio authors. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

// Answers of the kernel as inputs hold them: the number of the operation, then each answer as its length (2 bytes, low
// first) and its bytes. A sequence number of 0 stands for that of the question.
namespace cnio::fuzz {

inline void append_answer(std::string& input, std::string_view answer) {
  input.push_back(static_cast<char>(answer.size() & 0xffU));
  input.push_back(static_cast<char>(answer.size() >> 8U & 0xffU));
  input.append(answer);
}

// Without the number of the operation; a length beyond the end means what is left.
inline std::deque<std::string> split_answers(std::string_view input) {
  std::deque<std::string> answers;
  while (input.size() >= 2) {
    const size_t length = static_cast<uint8_t>(input[0]) | static_cast<size_t>(static_cast<uint8_t>(input[1])) << 8U;
    input.remove_prefix(2);
    answers.emplace_back(input.substr(0, length));
    input.remove_prefix(std::min(length, input.size()));
  }
  return answers;
}

}  // namespace cnio::fuzz
