// The answer in one sentence, and the command that carries it out.
import { commandLine, h, section } from "../dom";
import { baseName, type FitRun } from "../data";
import { countText, memoryText, significant } from "../format";
import type { State } from "../state";
import type { Machine, Option } from "../whatif/types";

function sentence(o: Option, machine: Machine, nCtx: number): string {
  const speed = o.speed.tokens_per_s;
  const talk =
    speed.value > 0
      ? `, talks at about ${significant(speed.value, 3)} tokens per second`
      : "";
  const loss =
    o.quality.kl_divergence > 0
      ? ` and stays ${significant(o.quality.kl_divergence, 2)} nats from its original`
      : " and is the original";
  return (
    `Take ${baseName(o.model)} ${o.preset === "as it is" ? o.preset : `as ${o.preset}`} with ${o.kv_type} cache: it needs ${memoryText(o.memory.total_bytes)} of the ` +
    `${memoryText(machine.model_budget_bytes)} that ${machine.is_this ? "this machine" : machine.title} gives` +
    `${talk}${loss}, with ${countText(nCtx)} tokens of context.`
  );
}

export function verdictSection(state: State): HTMLElement {
  const words = h("h1", { id: "verdict-title", "aria-live": "polite" });
  const how = h("div");
  const eyebrow = h("p", { class: "eyebrow" });
  state.watch(() => {
    const { decision, conditions } = state;
    const chosen = decision.recommended === null ? null : (decision.options[decision.recommended] ?? null);
    eyebrow.textContent = `${state.dashboard.basis.models.map((m) => baseName(m.name)).join(", ")} on ${conditions.machine.title || conditions.machine.name}`;
    words.textContent = chosen ? sentence(chosen, conditions.machine, conditions.n_ctx) : `No: ${decision.why}.`;
    how.replaceChildren(
      ...(chosen
        ? [
            h("p", { class: "muted" }, `Why: ${decision.why}.`),
            commandLine(chosen.command),
          ]
        : [h("p", { class: "muted" }, "More memory, a shorter context, a smaller cache or a smaller model would change that.")]),
    );
  });
  return h("section", { id: "verdict", "aria-labelledby": "verdict-title" }, eyebrow, words, how);
}

/** Of a fit that was read from a file: nothing to change, the same sentence. */
export function fixedVerdict(fit: FitRun): HTMLElement {
  const found = fit.recommendation;
  return section(
    "verdict",
    found ? `Take ${found.name}` : "None fits",
    `${fit.machine.title}: ${fit.why}.`,
    found ? commandLine(found.command) : null,
  );
}
