// What a program outside this project needs: the package, one include, one target.
#include <iostream>

#include "tally/train_session.h"

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    std::cout << "tally client " << tally::ClientVersion() << "\n";
    return 0;
  }
  const auto client = tally::Client::Connect(argc == 2 ? argv[1] : "");
  std::cout << (client.ok() ? "connected lazily" : client.status().ToString()) << "\n";
  return client.ok() ? 0 : 1;
}
