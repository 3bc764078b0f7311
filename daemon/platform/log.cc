#include "daemon/platform/log.h"

// The macros that add CODE_FILE and CODE_LINE would name this file for every line.
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <vector>

#include "absl/strings/ascii.h"
#include "core/text/strings.h"

namespace tally::platform {
namespace {

std::atomic<LogLevel> g_level{LogLevel::kInfo};

std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return "error";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kDebug:
      return "debug";
  }
  return "error";
}

int SyslogPriority(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return LOG_ERR;
    case LogLevel::kWarning:
      return LOG_WARNING;
    case LogLevel::kInfo:
      return LOG_INFO;
    case LogLevel::kDebug:
      return LOG_DEBUG;
  }
  return LOG_ERR;
}

// systemd sets JOURNAL_STREAM to "device:inode" of the stream it gave us. It is inherited by
// children whose standard error goes elsewhere, hence the comparison.
bool StandardErrorIsTheJournal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat info = {};
  if (stream == nullptr || fstat(STDERR_FILENO, &info) != 0) return false;
  return stream ==
         text::StrCat(static_cast<uint64_t>(info.st_dev), ":", static_cast<uint64_t>(info.st_ino));
}

bool NeedsQuotes(std::string_view value) {
  if (value.empty()) return true;
  for (const char c : value) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == 0x7f) return true;
  }
  return false;
}

// One event must stay one line, whatever its values hold.
void AppendQuoted(std::string_view value, std::string& out) {
  out.push_back('"');
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c == '\n') {
      out.append("\\n");
    } else if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) {
      out.push_back('?');
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

void SendToJournal(LogLevel level, std::string_view message,
                   std::initializer_list<LogField> fields) {
  std::vector<std::string> entries = {text::StrCat("MESSAGE=", message),
                                      text::StrCat("PRIORITY=", SyslogPriority(level))};
  for (const LogField& field : fields) {
    entries.push_back(
        text::StrCat(absl::AsciiStrToUpper(text::AbslView(field.key)), "=", field.value));
  }
  std::vector<iovec> parts;
  for (std::string& entry : entries) parts.push_back({entry.data(), entry.size()});
  sd_journal_sendv(parts.data(), static_cast<int>(parts.size()));
}

}  // namespace

void SetLogLevel(LogLevel level) { g_level.store(level, std::memory_order_relaxed); }

std::string FormatLogLine(LogLevel level, std::string_view message,
                          std::initializer_list<LogField> fields) {
  std::string line = text::StrCat(LevelName(level), ": ", message);
  for (const LogField& field : fields) {
    text::StrAppend(&line, " ", field.key, "=");
    if (NeedsQuotes(field.value)) {
      AppendQuoted(field.value, line);
    } else {
      line.append(field.value);
    }
  }
  return line;
}

void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (level > g_level.load(std::memory_order_relaxed)) return;
  static const bool to_journal = StandardErrorIsTheJournal();
  if (to_journal) {
    SendToJournal(level, message, fields);
    return;
  }
  // One write a line, so that lines of several threads do not mix. Nobody can be told if it fails.
  const std::string line = FormatLogLine(level, message, fields) + "\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace tally::platform
