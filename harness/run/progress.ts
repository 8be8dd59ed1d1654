// Live progress on stderr: listr2 on a terminal, plain lines elsewhere. Results go to stdout, never this.
import { Listr, ListrLogger, ProcessOutput } from 'listr2';

export interface Progress {
  /** Runs one stage; `say` replaces the line of what it is doing now. A stage that throws is shown as failed. */
  stage<T>(title: string, act: (say: (text: string) => void) => Promise<T>): Promise<T>;
  /** A line by itself. */
  note(text: string): void;
}

/** In plain output the same line again within this time is left out, so that a CI log stays short. */
const PLAIN_EVERY_MS = 5000;

export function createProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  return stream.isTTY ? terminalProgress(stream) : plainProgress(stream);
}

function terminalProgress(stream: NodeJS.WriteStream): Progress {
  return {
    async stage<T>(title: string, act: (say: (text: string) => void) => Promise<T>): Promise<T> {
      let result: T | undefined;
      const list = new Listr(
        [
          {
            title,
            task: async (_, task) => {
              result = await act((text) => {
                task.output = text;
              });
            },
          },
        ],
        {
          concurrent: false,
          rendererOptions: {
            logger: new ListrLogger({ processOutput: new ProcessOutput(stream, stream) }),
            timer: { condition: true, field: (ms) => `${(ms / 1000).toFixed(1)} s` },
            showErrorMessage: false,
            removeEmptyLines: true,
          },
          registerSignalListeners: false,
        },
      );
      await list.run();
      return result as T;
    },
    note: (text) => void stream.write(`${text}\n`),
  };
}

function plainProgress(stream: NodeJS.WriteStream): Progress {
  const startedAt = performance.now();
  const line = (text: string) => {
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1).padStart(6);
    stream.write(`${seconds} s  ${text}\n`);
  };
  return {
    async stage(title, act) {
      line(`${title} ...`);
      const from = performance.now();
      const said = new Map<string, number>();
      try {
        const result = await act((text) => {
          // Figures change with every frame: lines that differ in digits alone count as the same.
          const shape = text.replace(/\d+([.,]\d+)*/g, '#');
          const last = said.get(shape);
          if (last !== undefined && performance.now() - last < PLAIN_EVERY_MS) return;
          said.set(shape, performance.now());
          line(`  ${title}: ${text}`);
        });
        line(`${title}: done in ${((performance.now() - from) / 1000).toFixed(1)} s`);
        return result;
      } catch (error) {
        line(`${title}: failed after ${((performance.now() - from) / 1000).toFixed(1)} s`);
        throw error;
      }
    },
    note: line,
  };
}
