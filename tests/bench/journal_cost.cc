// Goal: what keeping every sample durable costs a stream.
// Method: the hosting layer in process, journal, group commit, training and checkpoints included,
// on the real file system or on one in memory behind the same seam. One stream of packets,
// flow-controlled as the daemon does it (1 MiB not yet durable); until every sample is durable
// and trained. A few packets warm up.
//
//   journal_cost posix:STATE_DIR|memory IMAGES LABELS ROWS_A_STEP ROWS_A_PACKET SAMPLES
//
//   prints {"cpu_ns_per_sample":..,"wall_ns_per_sample":..}; STATE_DIR must be new

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "daemon/hosting/registry.h"
#include "daemon/storage/clock.h"
#include "tests/bench/bench_support.h"
#include "tests/bench/memory_file_system.h"

namespace {

using tally::bench::Check;
using tally::bench::Checked;
using tally::bench::ParseCount;
using tally::hosting::ModelHost;
using tally::hosting::Registry;

constexpr char kUsage[] =
    "usage: journal_cost posix:STATE_DIR|memory IMAGES LABELS ROWS_A_STEP ROWS_A_PACKET SAMPLES\n";
constexpr std::string_view kPosix = "posix:";
constexpr uint64_t kWindowBytes = 1 << 20;
constexpr uint64_t kWarmUpSamples = 5000;

int64_t Soon() { return tally::storage::SystemClock().MonotonicNs() + 120'000'000'000; }

// One source that sends the samples round and round.
class Sender {
 public:
  Sender(ModelHost& host, const tally::bench::Samples& samples, size_t packet_rows)
      : host_(host), samples_(samples), packet_rows_(packet_rows) {}

  // Returns when all of them are durable and trained.
  void Send(uint64_t samples) {
    for (uint64_t sent = 0; sent < samples; sent += packet_rows_) SendPacket();
    Check(host_.Flush(Soon()).status());
    Check(host_.WaitDurable(last_position_, Soon()));
    in_flight_.clear();
    in_flight_bytes_ = 0;
  }

 private:
  struct InFlight {
    uint64_t position;
    uint64_t bytes;
  };

  void SendPacket() {
    if (next_ + packet_rows_ > samples_.count()) next_ = 0;
    const auto* row = reinterpret_cast<const char*>(samples_.row(next_));
    const auto labels = samples_.Labels(next_, packet_rows_);
    tally::storage::SamplesRecord packet;
    packet.source = "bench";
    packet.first_sequence = sequence_;
    packet.rows.assign(row, packet_rows_ * samples_.row_bytes);
    packet.labels.assign(labels.begin(), labels.end());
    next_ += packet_rows_;
    sequence_ += packet_rows_;

    const uint64_t bytes = packet.rows.size();
    while (!in_flight_.empty() && in_flight_bytes_ + bytes > kWindowBytes) {
      Check(host_.WaitDurable(in_flight_.front().position, Soon()));
      in_flight_bytes_ -= in_flight_.front().bytes;
      in_flight_.pop_front();
    }
    // Half a queue is trained before more is sent, so that the trainer never runs dry.
    while (!host_.HasRoom(2 * bytes)) {
      const uint64_t trained = host_.status().trained_position;
      Check(host_.WaitTrained(trained + (last_position_ - trained) / 2, Soon()));
    }
    last_position_ = Checked(host_.Append(std::move(packet))).position;
    in_flight_.push_back({last_position_, bytes});
    in_flight_bytes_ += bytes;
    host_.RequestSync(in_flight_bytes_ < kWindowBytes / 2 ? ModelHost::SyncWish::kSoon
                                                          : ModelHost::SyncWish::kNow);
  }

  ModelHost& host_;
  const tally::bench::Samples& samples_;
  const size_t packet_rows_;
  size_t next_ = 0;
  uint64_t sequence_ = 1;
  uint64_t last_position_ = 0;
  std::deque<InFlight> in_flight_;
  uint64_t in_flight_bytes_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    std::fputs(kUsage, stderr);
    return 64;
  }
  const std::string where = argv[1];
  const bool posix = where.starts_with(kPosix);
  tally::bench::MemoryFileSystem memory;
  tally::storage::FileSystem& fs = posix ? tally::storage::PosixFileSystem() : memory;
  tally::hosting::RegistryOptions options;
  options.state_dir = posix ? where.substr(kPosix.size()) : "state";
  Check(fs.CreateDirectory(options.state_dir));

  const tally::ModelSpec spec =
      tally::bench::SpecWithRows("pocketnn/mnist-mlp", ParseCount(argv[4], kUsage));
  const auto packet_rows = static_cast<size_t>(ParseCount(argv[5], kUsage));
  const uint64_t samples_wanted = ParseCount(argv[6], kUsage);
  const tally::bench::Samples samples = tally::bench::ReadSamples(argv[2], argv[3]);

  const auto registry = Checked(Registry::Open(
      fs, tally::storage::SystemClock(), options, [](const std::string&, bool) {}, Check));
  const std::shared_ptr<ModelHost> host = Checked(registry->Create(spec));
  Sender sender(*host, samples, packet_rows);
  sender.Send(kWarmUpSamples);
  const int64_t wall_begin = tally::bench::WallNs();
  const int64_t cpu_begin = tally::bench::ProcessCpuNs();
  sender.Send(samples_wanted);
  const int64_t cpu_ns = tally::bench::ProcessCpuNs() - cpu_begin;
  const int64_t wall_ns = tally::bench::WallNs() - wall_begin;
  const auto count = static_cast<double>(samples_wanted);
  std::printf("{\"cpu_ns_per_sample\":%.1f,\"wall_ns_per_sample\":%.1f}\n",
              static_cast<double>(cpu_ns) / count, static_cast<double>(wall_ns) / count);
  return 0;
}
