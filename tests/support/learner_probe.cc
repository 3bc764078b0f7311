#include "tests/support/learner_probe.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace tally::test {
namespace {

size_t Width(StateType type) {
  switch (type) {
    case StateType::kInt8:
    case StateType::kUint8:
      return 1;
    case StateType::kInt16:
      return 2;
    case StateType::kInt32:
      return 4;
    case StateType::kInt64:
    case StateType::kUint64:
      return 8;
  }
  return 0;
}

int64_t Decode(const std::byte* bytes, size_t width) {
  uint64_t value = 0;
  std::memcpy(&value, bytes, width);
  const unsigned unused = static_cast<unsigned>(64 - 8 * width);
  return static_cast<int64_t>(value << unused) >> unused;
}

void Append(Samples& samples, ElementType type, int64_t element) {
  samples.rows.back().push_back(element);
  samples.bytes.push_back(static_cast<std::byte>(element & 0xff));
  if (type == ElementType::kInt16) {
    samples.bytes.push_back(static_cast<std::byte>((element >> 8) & 0xff));
  }
}

int64_t Lowest(ElementType type) {
  return type == ElementType::kUint8 ? 0 : type == ElementType::kInt8 ? -128 : -32768;
}
int64_t Highest(ElementType type) {
  return type == ElementType::kUint8 ? 255 : type == ElementType::kInt8 ? 127 : 32767;
}

class Reader : public StateVisitor {
 public:
  explicit Reader(bool with_counters) : with_counters_(with_counters) {}
  void Visit(const StateEntry& entry) override {
    if (!entry.in_digest && !with_counters_) return;
    size_t elements = 1;
    for (const uint64_t extent : entry.shape) elements *= extent;
    ASSERT_EQ(entry.bytes.size(), elements * Width(entry.type)) << entry.name;
    Numbers& numbers = state[std::string(entry.name)];
    EXPECT_TRUE(numbers.empty()) << entry.name << " is visited twice";
    for (size_t i = 0; i < elements; ++i) {
      numbers.push_back(Decode(entry.bytes.data() + i * Width(entry.type), Width(entry.type)));
    }
  }
  State state;

 private:
  bool with_counters_;
};

class Writer : public StateVisitor {
 public:
  Writer(const std::string& name, const Numbers& values) : name_(name), values_(values) {}
  void Visit(const StateEntry& entry) override {
    if (entry.name != name_) return;
    found = true;
    const size_t width = Width(entry.type);
    ASSERT_EQ(entry.bytes.size(), values_.size() * width);
    for (size_t i = 0; i < values_.size(); ++i) {
      std::memcpy(entry.bytes.data() + i * width, &values_[i], width);
    }
  }
  bool found = false;

 private:
  std::string name_;
  const Numbers& values_;
};

}  // namespace

Samples RandomSamples(const ModelSpec& spec, size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  const int64_t low = Lowest(spec.input.type);
  const int64_t high = Highest(spec.input.type);
  Samples samples;
  samples.row_bytes = spec.RowBytes();
  for (size_t r = 0; r < count; ++r) {
    samples.rows.emplace_back();
    for (size_t i = 0; i < spec.InputElements(); ++i) {
      const int64_t uniform =
          low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
      Append(samples, spec.input.type, random() % 2 == 0 ? 0 : uniform);
    }
    samples.labels.push_back(static_cast<uint32_t>(random() % spec.classes));
  }
  return samples;
}

Samples ConstantSamples(const ModelSpec& spec, size_t count, int64_t element) {
  Samples samples;
  samples.row_bytes = spec.RowBytes();
  for (size_t r = 0; r < count; ++r) {
    samples.rows.emplace_back();
    for (size_t i = 0; i < spec.InputElements(); ++i) Append(samples, spec.input.type, element);
    samples.labels.push_back(static_cast<uint32_t>(r % spec.classes));
  }
  return samples;
}

State ReadState(Learner& learner, bool with_counters) {
  Reader reader(with_counters);
  learner.VisitState(reader);
  return reader.state;
}

void WriteState(Learner& learner, const std::string& name, const Numbers& values) {
  Writer writer(name, values);
  learner.VisitState(writer);
  ASSERT_TRUE(writer.found) << name;
}

}  // namespace tally::test
