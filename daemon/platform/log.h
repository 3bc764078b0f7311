// The daemon's log: one line an event, with named fields.
//
// Under systemd (standard error is the journal's stream) each field becomes a journal field
// (MODEL=, STEP=), otherwise the line goes to standard error as `level: message key=value ...`.

#ifndef TALLY_DAEMON_PLATFORM_LOG_H_
#define TALLY_DAEMON_PLATFORM_LOG_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace tally::platform {

enum class LogLevel : uint8_t { kError, kWarning, kInfo, kDebug };

struct LogField {
  std::string_view key;  // lower case: "model", "step"
  std::string value;
};

// Lines above this level are dropped; kInfo at first. Thread-safe, like Log.
void SetLogLevel(LogLevel level);

void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});

// The line as plain text, without the newline. Values with spaces, quotes, control characters or
// nothing in them are quoted.
std::string FormatLogLine(LogLevel level, std::string_view message,
                          std::initializer_list<LogField> fields);

}  // namespace tally::platform

#endif  // TALLY_DAEMON_PLATFORM_LOG_H_
