#include "client/cli/model_wait.h"

#include <chrono>
#include <ostream>
#include <string_view>
#include <thread>

#include "CLI/Option.hpp"
#include "absl/strings/numbers.h"
#include "client/cli/remote.h"
#include "core/text/strings.h"

namespace tally::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint32_t kWaitMaxS = 86400;
// A person sees the line move, and a small board is not kept from its recovery by being asked.
constexpr std::chrono::milliseconds kBetweenQuestions(200);

// One line that is redrawn on a terminal, and nothing elsewhere.
class WaitingLine {
 public:
  explicit WaitingLine(Output& output) : output_(output) {}
  ~WaitingLine() {
    if (drawn_) output_.err() << "\r\x1b[K" << std::flush;
  }

  void Show(std::string_view text) {
    if (!output_.terminal()) return;
    output_.err() << '\r' << text << "\x1b[K" << std::flush;
    drawn_ = true;
  }

 private:
  Output& output_;
  bool drawn_ = false;
};

bool IsBeingRecovered(const v1::Model& model) {
  return model.state() == v1::MODEL_STATE_REPLAYING || model.state() == v1::MODEL_STATE_CREATING;
}

// "REPLAYING (41200/51000)".
std::string StateText(const v1::Model& model) {
  std::string text(StateName(model.state()));
  if (!model.state_detail().empty()) text::StrAppend(&text, " (", model.state_detail(), ")");
  return text;
}

}  // namespace

void AddWaitOption(CLI::App& command, WaitOptions& options) {
  command
      .add_option("--wait", options.wait_s,
                  "Seconds to wait while the daemon recovers the model; 0: not at all")
      ->check([](const std::string& text) {
        uint32_t seconds = 0;
        const bool good = absl::SimpleAtoi(text, &seconds) && seconds <= kWaitMaxS;
        return good ? std::string() : "--wait: " + text + ", expected 0 to 86400 seconds";
      })
      ->capture_default_str();
}

absl::StatusOr<v1::Model> WaitForModel(const Client& client, const std::string& name,
                                       const WaitOptions& options, Context& context) {
  const auto give_up = Clock::now() + std::chrono::seconds(options.wait_s);
  WaitingLine line(context.output);
  while (true) {
    auto model = client.Get(name);
    if (!model.ok()) return RemoteError(model.status());
    if (!IsBeingRecovered(*model)) return model;
    if (Clock::now() + kBetweenQuestions > give_up) {
      return absl::UnavailableError(
          text::StrCat("model \"", name, "\" is ", StateText(*model), " after ", options.wait_s,
                       " s of waiting; --wait SECONDS gives it more time"));
    }
    line.Show(text::StrCat("waiting for ", name, ": ", StateText(*model)));
    std::this_thread::sleep_for(kBetweenQuestions);
  }
}

}  // namespace tally::cli
