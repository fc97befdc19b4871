#include "voice/answerer.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/interrupt.h"
#include "voice/sentence_splitter.h"
#include "voice/spoken.h"

namespace ech0 {
namespace {

double seconds_between(std::chrono::steady_clock::time_point from, std::chrono::steady_clock::time_point to) {
    return std::chrono::duration<double>(to - from).count();
}

// A piece that was cut off within a sentence: the voice should not fall as at its end.
std::string going_on(const std::string& piece) {
    const bool has_mark = piece.empty() || std::ispunct(static_cast<unsigned char>(piece.back())) != 0;
    return has_mark ? piece : piece + ",";
}

}  // namespace

std::string heard_until(const std::vector<SpokenPiece>& pieces, double until_s) {
    std::string text;
    for (const SpokenPiece& piece : pieces) {
        if (piece.when.begin_s >= until_s) break;
        const double length_s = piece.when.end_s - piece.when.begin_s;
        const double share = length_s > 0 ? std::min(1.0, (until_s - piece.when.begin_s) / length_s) : 1;
        // Words that were begun were heard in part only: they don't count.
        auto n = static_cast<size_t>(share * static_cast<double>(piece.text.size()));
        if (n < piece.text.size()) {
            while (n > 0 && piece.text[n] != ' ') n--;
        }
        if (n > 0) text += (text.empty() ? "" : " ") + piece.text.substr(0, n);
    }
    return text;
}

Answerer::Answerer(Audio& audio, Recognizer& recognizer, Speaker& speaker, Conversation& conversation,
                   const TalkEvents& events)
    : audio_(audio), recognizer_(recognizer), speaker_(speaker), conversation_(conversation), events_(events) {
    thinker_ = std::thread([this] { guard([this] { think_loop(); }); });
    voice_ = std::thread([this] { guard([this] { speak_loop(); }); });
}

Answerer::~Answerer() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
        for (const JobPtr& job : jobs_) job->cancelled = true;
    }
    changed_.notify_all();
    thinker_.join();
    voice_.join();
}

void Answerer::guard(const std::function<void()>& loop) {
    try {
        loop();
    } catch (...) {
        const std::lock_guard lock(mutex_);
        if (!failure_) failure_ = std::current_exception();
        changed_.notify_all();
    }
}

void Answerer::prepare(Sound speech, double begin_s, double end_s, double pause_s) {
    const auto job = std::make_shared<Job>();
    job->speech = std::move(speech);
    job->turn.begin_s = begin_s;
    job->turn.end_s = end_s;
    job->turn.pause_s = pause_s;
    job->prepared = Clock::now();
    const std::lock_guard lock(mutex_);
    jobs_.push_back(job);
    current_ = next_ = job;
    changed_.notify_all();
}

void Answerer::confirm() {
    const std::lock_guard lock(mutex_);
    if (current_) current_->confirmed = true;
    changed_.notify_all();
}

void Answerer::drop() {
    const std::lock_guard lock(mutex_);
    if (!current_) return;
    current_->cancelled = current_->dropped = true;
    std::erase(jobs_, current_);
    current_ = nullptr;
    changed_.notify_all();
}

void Answerer::stop() {
    const std::lock_guard lock(mutex_);
    if (!current_) return;
    const double now_s = audio_.now_s();
    audio_.stop();
    TalkTurn& turn = current_->turn;
    turn.barged_in = true;
    turn.said = heard_until(current_->spoken, now_s);
    turn.audio_end_s = std::min(turn.audio_end_s, now_s);
    if (turn.audio_end_s > 0) turn.total_s = turn.audio_end_s - turn.end_s;
    current_->cancelled = true;
    current_->confirmed = true;
    changed_.notify_all();
}

bool Answerer::making() const {
    const std::lock_guard lock(mutex_);
    return next_ || thinking_ || to_speak_;
}

bool Answerer::answering() const { return making() || audio_.playing(); }

void Answerer::rethrow() const {
    const std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
}

std::vector<TalkTurn> Answerer::turns() {
    const std::lock_guard lock(mutex_);
    std::vector<TalkTurn> turns;
    for (const JobPtr& job : jobs_) turns.push_back(job->turn);
    return turns;
}

// The history, the system prompt before the first turn, and what stands before a message. An answer that was stopped is
// cut before, since what comes behind it would have to be read anew while somebody waits.
void Answerer::read_ahead() {
    bool cut_off = false;
    {
        const std::lock_guard lock(mutex_);
        if (ending_ || next_) return;
        cut_off = was_cut_off();
    }
    if (cut_off) tell_what_was_cut_off();
    conversation_.read_ahead(opening_ + unanswered_);
}

// Under mutex_.
bool Answerer::was_cut_off() const { return last_answered_ && last_answered_->turn.barged_in; }

void Answerer::think_loop() {
    for (;;) {
        read_ahead();
        {
            std::unique_lock lock(mutex_);
            // One answer at a time: the voice is done with the one before, or has been told to be.
            changed_.wait(lock, [&] { return ending_ || (next_ && !to_speak_) || (!next_ && was_cut_off()); });
            if (ending_) return;
            if (!next_) continue;
            thinking_ = std::move(next_);
            next_ = nullptr;
        }
        const JobPtr job = thinking_;
        if (!job->cancelled) think(job);
        const std::lock_guard lock(mutex_);
        job->written = true;
        thinking_ = nullptr;
        changed_.notify_all();
    }
}

void Answerer::think(const JobPtr& job) {
    forget_dropped();
    const std::string text = recognizer_.transcribe(std::exchange(job->speech, {}));
    bool stopped = false;
    {
        const std::lock_guard lock(mutex_);
        job->turn.recognize_s = seconds_between(job->prepared, Clock::now());
        if (has_words(text)) job->turn.heard = text;
        stopped = job->cancelled && !job->dropped;
    }
    if (!has_words(text)) return;
    if (stopped) unanswered_ += text + " ";
    if (!job->cancelled) write_answer(job, text);
}

// An answer may be written and only then turn out to be none, because the turn went on: then it never was.
void Answerer::forget_dropped() {
    if (!last_answered_) return;
    {
        const std::lock_guard lock(mutex_);
        if (!last_answered_->dropped) return;
    }
    const JobPtr dropped = last_answered_;
    conversation_.set_messages(dropped->before);
    unanswered_ = dropped->unanswered_before;
    opening_ = dropped->opening_before;
    last_answered_ = dropped->answered_before;
}

// What the model is told of an answer that was stopped: only what was heard of it, and that it was interrupted; and if
// nothing was heard, what was said before belongs to what is said now. The user tells it: a mark at the end of the
// model's own words (a dash, "[interrupted]") is something that small models begin to write themselves.
void Answerer::tell_what_was_cut_off() {
    if (!last_answered_) return;
    bool cut = false;
    std::string said;
    {
        const std::lock_guard lock(mutex_);
        cut = last_answered_->turn.barged_in;
        said = last_answered_->turn.said;
    }
    last_answered_->answered_before = nullptr;  // nobody drops it any more
    last_answered_ = nullptr;                   // told once
    std::vector<ChatMessage> messages = conversation_.messages();
    if (!cut || messages.empty()) return;
    if (messages.back().role == "assistant") messages.pop_back();
    if (!said.empty()) {
        messages.push_back({"assistant", said});
        opening_ = "(I interrupted you.) ";
    } else if (!messages.empty() && messages.back().role == "user") {
        opening_ = messages.back().content + " ";
        messages.pop_back();
    }
    conversation_.set_messages(std::move(messages));
}

void Answerer::write_answer(const JobPtr& job, const std::string& text) {
    job->before = conversation_.messages();
    job->unanswered_before = unanswered_;
    job->opening_before = opening_;
    job->answered_before = last_answered_;
    tell_what_was_cut_off();
    const std::string message = std::exchange(opening_, "") + std::exchange(unanswered_, "") + text;
    {
        const std::lock_guard lock(mutex_);
        to_speak_ = job;
        changed_.notify_all();
    }
    SentenceSplitter splitter;
    const auto on_text = [&](std::string_view piece) {
        if (job->cancelled) throw Interrupted();
        queue_pieces(job, splitter.push(piece));
        wait_for_first_sound(job);
    };
    const Answer answer = conversation_.ask(message, on_text);
    if (!job->cancelled && !interrupted()) queue_pieces(job, splitter.finish());
    const std::lock_guard lock(mutex_);
    job->turn.answer = answer.text;
    job->turn.n_tokens = answer.n_tokens;
    job->turn.tokens_per_s = answer.tokens_per_s();
    const bool nothing_kept = answer.stop == Stop::interrupted && answer.n_tokens == 0;
    if (nothing_kept && !job->dropped)
        unanswered_ = message + " ";
    else
        last_answered_ = job;  // forget_dropped() looks whether it stays
}

void Answerer::queue_pieces(const JobPtr& job, const std::vector<std::string>& pieces) {
    for (const std::string& piece : pieces) {
        std::string said = spoken(piece);
        if (said.empty()) continue;
        const std::lock_guard lock(mutex_);
        if (job->turn.first_piece_s == 0)
            job->turn.first_piece_s = seconds_between(job->prepared, Clock::now()) - job->turn.recognize_s;
        job->pieces.push_back(std::move(said));
        changed_.notify_all();
    }
}

// Two engines on the same cores would make somebody wait twice as long for the first sound; what is written meanwhile
// is needed only when that has been heard.
void Answerer::wait_for_first_sound(const JobPtr& job) {
    std::unique_lock lock(mutex_);
    if (job->turn.first_piece_s == 0) return;  // there is no piece yet
    changed_.wait(lock, [&] { return ending_ || job->cancelled || failure_ || job->has_sound; });
}

void Answerer::speak_loop() {
    for (;;) {
        JobPtr job;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [&] { return ending_ || to_speak_; });
            if (ending_) return;
            job = to_speak_;
        }
        for (std::string piece; wait_for_piece(job, piece);) speak(job, piece);
        finish(job);
    }
}

// @return false if there will be none
bool Answerer::wait_for_piece(const JobPtr& job, std::string& piece) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ending_ || job->cancelled || job->written || failure_ || !job->pieces.empty(); });
    if (ending_ || job->cancelled || failure_ || job->pieces.empty()) return false;
    piece = std::move(job->pieces.front());
    job->pieces.pop_front();
    return true;
}

void Answerer::speak(const JobPtr& job, const std::string& piece) {
    bool first = false;
    {
        const std::lock_guard lock(mutex_);
        first = job->spoken.empty() && !job->written;
    }
    const Sound sound = speaker_.speak(first ? going_on(piece) : piece);
    const Clock::time_point spoken_at = Clock::now();
    {
        std::unique_lock lock(mutex_);
        TalkTurn& turn = job->turn;
        job->has_sound = true;
        changed_.notify_all();
        if (job->spoken.empty())
            turn.synthesize_s = seconds_between(job->prepared, spoken_at) - turn.recognize_s - turn.first_piece_s;
        changed_.wait(lock, [&] { return ending_ || job->cancelled || job->confirmed; });
        if (ending_ || job->cancelled) return;
        const Playback when = audio_.play(sound);
        if (job->spoken.empty()) {
            turn.confirm_s = seconds_between(spoken_at, Clock::now());
            turn.first_audio_s = turn.pause_s + seconds_between(job->prepared, Clock::now());
            turn.audio_begin_s = when.begin_s;
        }
        turn.audio_end_s = when.end_s;
        turn.total_s = turn.audio_end_s - turn.end_s;
        turn.n_pieces++;
        job->spoken.push_back({piece, when});
        turn.said += (turn.said.empty() ? "" : " ") + piece;
        if (job->spoken.size() == 1 && events_.heard) events_.heard(turn.heard);
    }
    if (events_.said) events_.said(piece);
}

void Answerer::finish(const JobPtr& job) {
    std::unique_lock lock(mutex_);
    // The model may still be writing what nobody will hear.
    changed_.wait(lock, [&] { return ending_ || job->written || failure_; });
    to_speak_ = nullptr;
    changed_.notify_all();
    const bool dropped = job->dropped;
    const TalkTurn turn = job->turn;
    lock.unlock();
    if (!dropped && events_.done) events_.done(turn);
}

}  // namespace ech0
