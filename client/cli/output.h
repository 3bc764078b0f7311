// Where a command's words go: text for a person, or one JSON object for a script.

#ifndef TALLY_CLIENT_CLI_OUTPUT_H_
#define TALLY_CLIENT_CLI_OUTPUT_H_

#include <ostream>
#include <string_view>

#include "absl/status/status.h"
#include "client/cli/json_object.h"

namespace google::protobuf {
class Message;
}

namespace tally::cli {

// Without --json, text goes to standard output. With it, standard output holds exactly one line,
// the object of Result or of the error, and text goes to standard error. Progress always goes to
// standard error. One thread.
class Output {
 public:
  // The streams are borrowed. `terminal`: whether `err` is one, so that a line may be redrawn.
  Output(std::ostream& out, std::ostream& err, bool json, bool terminal)
      : out_(out), err_(err), json_(json), terminal_(terminal) {}

  bool json() const { return json_; }
  bool terminal() const { return terminal_; }
  std::ostream& err() { return err_; }

  // A line of text for a person; the newline is added.
  void Line(std::string_view line);

  // The command's result; printed under --json only. Called once, as the last thing a command does.
  // A message is printed with its own field names and all its fields; its 64-bit integers print as
  // strings, so what scripts compare is uint32 there or goes through a JsonObject.
  void Result(const JsonObject& object);
  void Result(const google::protobuf::Message& message);

  // "tally: MESSAGE" on standard error, and under --json
  // {"error": {"code", "message", "field"?, "exit_code"}}.
  void Error(const absl::Status& status);

  // Whether everything written so far has reached the stream.
  bool Flush();

 private:
  std::ostream& out_;
  std::ostream& err_;
  bool json_;
  bool terminal_;
};

}  // namespace tally::cli

#endif  // TALLY_CLIENT_CLI_OUTPUT_H_
