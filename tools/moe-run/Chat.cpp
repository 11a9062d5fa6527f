// --chat: lines from standard input, answers to standard output.
#include "tools/moe-run/Chat.h"

#include "runtime/Generation.h"
#include "runtime/chat/ChatTemplate.h"
#include "tools/moe-run/Generation.h"
#include "tools/moe-run/Interrupt.h"

#include <algorithm>
#include <iostream>
#include <unistd.h>

using namespace moec;
using namespace moec::run;
using namespace moec::runtime;

namespace {
/// Tokens of an answer when -n does not say.
constexpr int64_t defaultTokens = 512;

class Conversation {
public:
  Conversation(const Options &options, Session &session, const Tokenizer &tokenizer, ChatTemplate chatTemplate)
      : options(options), session(session), tokenizer(tokenizer), chatTemplate(std::move(chatTemplate)),
        draws({options.temperature, options.topK, options.topP, options.seed}) {
    context.bosToken = tokenizer.bytesOf(session.model().bos_id());
    if (const auto *ends = session.model().eos_ids(); ends && ends->size())
      context.eosToken = tokenizer.bytesOf(ends->Get(0));
  }

  /// Answers `line`, printing as it goes.
  Status answer(const std::string &line) {
    messages.push_back({"user", line});
    Result<std::string> text = chatTemplate.render(messages, context);
    if (!text.ok())
      return text.status();
    Result<std::vector<int32_t>> ids = tokenizer.encode(*text, /*special=*/false);
    if (!ids.ok())
      return ids.status();
    MOEC_RETURN_IF_ERROR(feed(*ids));

    StreamDecoder stream(tokenizer);
    std::string reply;
    int64_t most = options.generate ? options.generate : defaultTokens;
    InterruptCatcher catcher;
    Status status = runtime::generate(session, {.sequences = {&sequence, 1}, .tokens = most, .ignoreEnd = options.ignoreEnd}, draws,
                                      &stream, [&](int32_t id, const std::string &piece) -> Result<bool> {
                                        reply += piece;
                                        cached.push_back(id);
                                        printText(piece);
                                        return !interrupted();
                                      });
    printText("\n");
    cached.resize(size_t(session.length(sequence))); // the last token was chosen, but not fed
    messages.push_back({"assistant", std::move(reply)});
    return status;
  }

private:
  /// Brings the sequence to `ids`: goes on behind what it holds already, or begins again where the texts part.
  Status feed(const std::vector<int32_t> &ids) {
    size_t common = size_t(std::ranges::mismatch(ids, cached).in1 - ids.begin());
    if (sequence < 0 || common < cached.size() || common == ids.size()) {
      if (sequence >= 0)
        session.releaseSequence(sequence);
      Result<int> added = session.addSequence();
      if (!added.ok())
        return added.status();
      sequence = *added;
      common = 0;
    }
    cached = ids;
    return session.prefill({sequence, std::span(ids).subspan(common), Wanted::sampled, draws.next()}, options.prefillChunk);
  }

  const Options &options;
  Session &session;
  const Tokenizer &tokenizer;
  ChatTemplate chatTemplate;
  Draws draws;
  ChatContext context;
  std::vector<Message> messages;
  int sequence = -1;
  std::vector<int32_t> cached; ///< ids that the sequence holds
};
} // namespace

Result<int> moec::run::chat(const Options &options, const Artifact &artifact, Session &session, const Tokenizer &tokenizer) {
  std::optional<std::span<const std::byte>> section = artifact.section("chat_template");
  if (!section)
    return Status::invalidArgument(artifact.path() + " carries no chat template; use --prompt");
  Result<ChatTemplate> chatTemplate = ChatTemplate::parse({reinterpret_cast<const char *>(section->data()), section->size()});
  if (!chatTemplate.ok())
    return chatTemplate.status();
  Conversation conversation(options, session, tokenizer, std::move(*chatTemplate));
  bool isTerminal = isatty(STDIN_FILENO);
  auto prompt = [&] {
    if (isTerminal)
      std::cerr << "> " << std::flush;
  };
  std::string line;
  for (prompt(); std::getline(std::cin, line); prompt()) {
    MOEC_RETURN_IF_ERROR(conversation.answer(line));
    if (interrupted())
      return interruptedCode;
  }
  return 0;
}
