// Goal: what receiving, keeping and proving alone cost a stream: about the most of in-process
// training that a server with this journal, this audit chain and this kernel can reach.
// Method: one thread that takes each message from a Unix socket, keeps it, trains it, carries the
// audit chain along and syncs for every half window, with the product's own parts; no gRPC, no
// Protobuf, no other thread, no checkpoint, no snapshot. Another process sends, on the processor
// with the number SENDER_CORE. Rows are written once in memory before they are received into,
// which stands for the copy that Protobuf makes. Processor time of the one thread.
//
//   stream_floor SENDER_CORE JOURNAL_DIR IMAGES LABELS ROWS_A_STEP ROWS_A_MESSAGE SAMPLES
//
//   prints {"cpu_ns_per_sample":..}; JOURNAL_DIR must be new or empty

#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "core/algorithms/algorithms.h"
#include "daemon/hosting/training_lane.h"
#include "daemon/platform/memory.h"
#include "daemon/storage/file_system.h"
#include "daemon/storage/journal.h"
#include "tests/bench/bench_support.h"

namespace {

using tally::bench::Check;
using tally::bench::Checked;
using tally::bench::ParseCount;

constexpr char kUsage[] =
    "usage: stream_floor SENDER_CORE JOURNAL_DIR IMAGES LABELS ROWS_A_STEP ROWS_A_MESSAGE "
    "SAMPLES\n";
constexpr uint64_t kSyncBytes = 512 << 10;  // half of the daemon's window
constexpr uint64_t kWarmUpSamples = 5000;

[[noreturn]] void Fail(const std::string& message) {
  std::fprintf(stderr, "stream_floor: %s\n", message.c_str());
  std::_Exit(70);
}

// The number of a processor, from 0 on.
int Core(const char* text) {
  const std::string_view digits(text);
  if (digits.empty() || digits.size() > 4 ||
      digits.find_first_not_of("0123456789") != std::string_view::npos) {
    std::fputs(kUsage, stderr);
    std::exit(64);
  }
  return std::atoi(text);
}

void SendAll(int socket, const void* bytes, size_t count) {
  const char* next = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t sent = send(socket, next, count, MSG_NOSIGNAL);
    if (sent <= 0) std::_Exit(0);  // the receiver has gone
    next += sent;
    count -= static_cast<size_t>(sent);
  }
}

// Messages one after the other, for ever: their rows, then their labels.
[[noreturn]] void SendForEver(int socket, const tally::bench::Samples& samples, size_t rows) {
  for (size_t first = 0;; first += rows) {
    if (first + rows > samples.count()) first = 0;
    SendAll(socket, samples.row(first), rows * samples.row_bytes);
    SendAll(socket, samples.Labels(first, rows).data(), rows * sizeof(uint32_t));
  }
}

class Receiver {
 public:
  Receiver(int socket, const std::string& directory, const tally::ModelSpec& spec, size_t rows)
      : socket_(socket),
        rows_(rows),
        row_bytes_(spec.RowBytes()),
        journal_(Checked(tally::storage::Journal::Open(tally::storage::PosixFileSystem(), directory,
                                                       {}, 1, {}))),
        lane_(Checked(tally::MakeLearner(spec, {})), {}, journal_->segment_position()) {}

  // Whole messages, until there are `samples` at least; returns how many there were.
  uint64_t Receive(uint64_t samples) {
    uint64_t received = 0;
    for (; received < samples; received += rows_) ReceiveMessage();
    Check(journal_->Sync());
    unsynced_bytes_ = 0;
    return received;
  }

 private:
  void Read(void* bytes, size_t count) {
    if (recv(socket_, bytes, count, MSG_WAITALL) != static_cast<ssize_t>(count)) {
      Fail("the sender has gone");
    }
  }

  void ReceiveMessage() {
    tally::storage::SamplesRecord packet;
    packet.source = "bench";
    packet.first_sequence = next_position_;
    packet.rows.resize(rows_ * row_bytes_);
    packet.labels.resize(rows_);
    Read(packet.rows.data(), packet.rows.size());
    Read(packet.labels.data(), rows_ * sizeof(uint32_t));
    unsynced_bytes_ += packet.rows.size();

    tally::storage::RecordBody body = std::move(packet);
    Check(journal_->Append(body));
    if (unsynced_bytes_ >= kSyncBytes) {
      Check(journal_->Sync());
      unsynced_bytes_ = 0;
    }
    Check(lane_.Take({next_position_, std::move(body), journal_->segment_position()}));
    next_position_ += rows_;
    while (lane_.StepReady()) lane_.Step();
    lane_.TakeReached();
    lane_.TakeSegmentEnds();
  }

  const int socket_;
  const size_t rows_;
  const size_t row_bytes_;
  const std::unique_ptr<tally::storage::Journal> journal_;
  tally::hosting::TrainingLane lane_;
  uint64_t next_position_ = 1;
  uint64_t unsynced_bytes_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 8) {
    std::fputs(kUsage, stderr);
    return 64;
  }
  tally::platform::LimitFreeMemory();  // as the daemon does
  const int sender_core = Core(argv[1]);
  const std::string directory = argv[2];
  const tally::bench::Samples samples = tally::bench::ReadSamples(argv[3], argv[4]);
  const tally::ModelSpec spec =
      tally::bench::SpecWithRows("pocketnn/mnist-mlp", ParseCount(argv[5], kUsage));
  const auto rows = static_cast<size_t>(ParseCount(argv[6], kUsage));
  const uint64_t wanted = ParseCount(argv[7], kUsage);
  if (rows > samples.count()) Fail("a message cannot have more rows than there are samples");
  Check(tally::storage::PosixFileSystem().CreateDirectory(directory));

  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0) Fail("no socket");
  const pid_t sender = fork();
  if (sender < 0) Fail("no process for the sender");
  if (sender == 0) {
    close(sockets[0]);
    cpu_set_t core;
    CPU_ZERO(&core);
    CPU_SET(static_cast<size_t>(sender_core), &core);
    if (sched_setaffinity(0, sizeof(core), &core) != 0) Fail("no such processor");
    SendForEver(sockets[1], samples, rows);
  }
  close(sockets[1]);
  Receiver receiver(sockets[0], directory, spec, rows);
  receiver.Receive(kWarmUpSamples);
  const int64_t begin_ns = tally::bench::ThreadCpuNs();
  const uint64_t received = receiver.Receive(wanted);
  const int64_t cpu_ns = tally::bench::ThreadCpuNs() - begin_ns;
  close(sockets[0]);
  waitpid(sender, nullptr, 0);
  std::printf("{\"cpu_ns_per_sample\":%.1f}\n",
              static_cast<double>(cpu_ns) / static_cast<double>(received));
  return 0;
}
