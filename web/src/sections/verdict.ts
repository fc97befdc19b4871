// The answer in one sentence, the four figures behind it, and the command that carries it out.
import { commandLine, h, section } from "../dom";
import { gradeBadge } from "../chart/marks";
import { baseName, type FitRun, optionsOf } from "../data";
import { countText, memoryText, significant } from "../format";
import type { State } from "../state";
import { insteadOf } from "../whatif/decide";
import type { Grade, Machine, Option } from "../whatif/types";

/** What a loss of so many nats means to somebody who reads the answers; the guide says the same. */
export function closeness(o: Option): string {
  const kl = o.quality.kl_divergence;
  if (kl <= 0) return "is the original itself";
  if (kl <= 0.01) return "is hard to tell from its original";
  if (kl <= 0.1) return "stays close to its original";
  if (kl <= 0.5) return "is noticeably worse than its original";
  return "is far from its original";
}

const titleOf = (o: Option): string => `${baseName(o.model)} ${o.preset === "as it is" ? o.preset : `as ${o.preset}`}`;

function sentence(o: Option, machine: Machine): string {
  const speed = o.speed.tokens_per_s.value;
  const talk = speed > 0 ? `, talks at about ${significant(speed, 2)} tokens per second` : "";
  return `Take ${titleOf(o)}: it fits with ${memoryText(machine.model_budget_bytes - o.memory.total_bytes)} to spare${talk} and ${closeness(o)}.`;
}

function figure(name: string, value: string, below: string, grade: Grade | null): HTMLElement {
  return h("div", {}, h("dt", {}, name), h("dd", { class: "big" }, value), h("dd", { class: "small muted" }, below, grade ? " " : "", grade ? gradeBadge(grade) : ""));
}

function figures(o: Option, machine: Machine, nCtx: number): HTMLElement {
  const speed = o.speed.tokens_per_s;
  const kl = o.quality;
  const between = (low: number, high: number, digits: number): string => (low < high ? `${significant(low, digits)} to ${significant(high, digits)}` : "");
  return h(
    "dl",
    { class: "readings verdict-figures" },
    figure("memory", memoryText(o.memory.total_bytes), `of ${memoryText(machine.model_budget_bytes)}`, machine.budget_grade),
    figure("speed", speed.value > 0 ? `${significant(speed.value, 3)} tokens/s` : "not known", speed.value > 0 ? between(speed.low, speed.high, 3) : "", o.speed.grade),
    figure("KL, nats per token", kl.kl_divergence > 0 ? significant(kl.kl_divergence, 2) : "none lost", kl.kl_divergence > 0 ? between(kl.low, kl.high, 2) : "", kl.kl_divergence > 0 ? o.grade : null),
    figure("context", `${countText(nCtx)} tokens`, `${o.kv_type} cache${o.kv_loss && o.kv_loss.kl_divergence > 0 ? `, loses ${significant(o.kv_loss.kl_divergence, 2)}` : ""}`, o.kv_loss && o.kv_loss.kl_divergence > 0 ? o.kv_loss.grade : null),
  );
}

export function verdictSection(state: State): HTMLElement {
  const words = h("h1", { id: "verdict-title", "aria-live": "polite" });
  const how = h("div");
  const eyebrow = h("p", { class: "eyebrow" });
  state.watch(() => {
    const { decision, conditions } = state;
    const { machine } = conditions;
    const chosen = decision.recommended === null ? null : (decision.options[decision.recommended] ?? null);
    const where = machine.is_this ? `this machine, ${machine.title || machine.name}` : machine.title || machine.name;
    eyebrow.textContent = `${state.dashboard.basis.models.map((m) => baseName(m.name)).join(", ")} on ${where}`;
    words.textContent = chosen ? sentence(chosen, machine) : `No: ${decision.why}.`;
    const other = chosen ? insteadOf(decision.options, chosen) : "";
    how.replaceChildren(
      ...(chosen
        ? [figures(chosen, machine, decision.n_ctx), commandLine(chosen.command), other ? h("p", { class: "muted after" }, `Instead: ${other}.`) : ""]
        : [h("p", { class: "muted" }, "More memory, a shorter context, a smaller cache or a smaller model would change that.")]),
    );
  });
  return h("section", { id: "verdict", "aria-labelledby": "verdict-title" }, eyebrow, words, how);
}

/** Of a fit that was read from a file: nothing to change, the same sentence. */
export function fixedVerdict(fit: FitRun): HTMLElement {
  const chosen = optionsOf(fit).find((o) => o.name === fit.recommendation?.name);
  if (!chosen) return section("verdict", `No: ${fit.why}.`, fit.machine.title || fit.machine.name);
  const other = insteadOf(optionsOf(fit), chosen);
  return h(
    "section",
    { id: "verdict", "aria-labelledby": "verdict-title" },
    h("p", { class: "eyebrow" }, `${[...new Set(fit.options.map((o) => baseName(o.model)))].join(", ")} on ${fit.machine.title || fit.machine.name}`),
    h("h1", { id: "verdict-title" }, sentence(chosen, fit.machine)),
    figures(chosen, fit.machine, fit.n_ctx),
    commandLine(chosen.command),
    other ? h("p", { class: "muted after" }, `Instead: ${other}.`) : null,
  );
}
