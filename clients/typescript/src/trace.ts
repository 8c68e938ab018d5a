// Passes the program's trace to the server: W3C Trace Context.

/** What `@opentelemetry/api` leaves where all copies of it find it, as far as it is used here. */
interface OpenTelemetry {
  readonly context?: { active(): unknown };
  readonly propagation?: { inject(context: unknown, carrier: Headers, setter: Setter): void };
}

type Headers = Record<string, string>;

interface Setter {
  set(carrier: Headers, name: string, value: string): void;
}

const OPEN_TELEMETRY = Symbol.for("opentelemetry.js.api.1");

// A program's own propagator may have others, which are not for the server.
const NAMES = ["traceparent", "tracestate"];

const SETTER: Setter = {
  set: (carrier, name, value) => {
    if (NAMES.includes(name)) {
      carrier[name] = value;
    }
  },
};

/** The headers of a call that is made now: those of the current span of OpenTelemetry, if the program has one. */
export function traceHeaders(): Headers {
  const carrier: Headers = {};
  const found = Reflect.get(globalThis, OPEN_TELEMETRY) as OpenTelemetry | undefined;
  const context = found?.context?.active();
  if (context !== undefined) {
    found?.propagation?.inject(context, carrier, SETTER);
  }
  return carrier;
}
