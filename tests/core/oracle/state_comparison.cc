#include "tests/core/oracle/state_comparison.h"

#include <gtest/gtest.h>

#include <cstring>
#include <span>

namespace tally::oracle {
namespace {

template <typename T>
std::vector<int64_t> Widened(std::span<const std::byte> bytes) {
  std::vector<int64_t> out;
  for (size_t at = 0; at < bytes.size(); at += sizeof(T)) {
    T element;
    std::memcpy(&element, bytes.data() + at, sizeof(T));
    out.push_back(static_cast<int64_t>(element));
  }
  return out;
}

class StateReader : public StateVisitor {
 public:
  void Visit(const StateEntry& entry) override {
    const std::string name(entry.name);
    EXPECT_FALSE(state.contains(name)) << name;
    switch (entry.type) {
      case StateType::kInt8:
        state[name] = Widened<int8_t>(entry.bytes);
        break;
      case StateType::kInt16:
        state[name] = Widened<int16_t>(entry.bytes);
        break;
      case StateType::kInt32:
        state[name] = Widened<int32_t>(entry.bytes);
        break;
      case StateType::kInt64:
        state[name] = Widened<int64_t>(entry.bytes);
        break;
      case StateType::kUint8:
        state[name] = Widened<uint8_t>(entry.bytes);
        break;
      case StateType::kUint64:
        state[name] = Widened<uint64_t>(entry.bytes);
        break;
    }
  }
  State state;
};

}  // namespace

State StateOf(Learner& learner) {
  StateReader reader;
  learner.VisitState(reader);
  return reader.state;
}

std::string Difference(const State& fast, const State& slow) {
  for (const auto& [name, values] : fast) {
    if (!slow.contains(name)) return name + " is unknown to the oracle";
    if (values == slow.at(name)) continue;
    if (values.size() != slow.at(name).size()) return name + " differs in size";
    for (size_t i = 0; i < values.size(); ++i) {
      if (values[i] == slow.at(name)[i]) continue;
      return name + "[" + std::to_string(i) + "]: learner " + std::to_string(values[i]) +
             ", oracle " + std::to_string(slow.at(name)[i]);
    }
  }
  for (const auto& [name, values] : slow) {
    if (!fast.contains(name)) return name + " is unknown to the learner";
  }
  return "";
}

}  // namespace tally::oracle
