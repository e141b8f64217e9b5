import { describe, expect, test } from "vitest";

import { faultsOfCommand } from "#fixtures/rule-faults.ts";
import { callOf } from "#fixtures/rules.ts";

const UNSAFE = { reason: "rejected", rule: "unsafe-in-command" };
const X = "{{incident.title}}";

function commandOf(command: readonly string[], title: string): unknown {
  const call = callOf({ command }, { title });
  return "command" in call ? call.command : call;
}

describe("a value that begins with a hyphen", () => {
  test.each(["-rf", "--force", "-", "--", "--config=/tmp/x"])("%s is no argument", (title) => {
    const command = ["/bin/restart", "web", X];
    expect(commandOf(command, title)).toMatchObject({
      ...UNSAFE,
      place: "rule restart-web, action run-script, command[2]",
      value: JSON.stringify(title),
    });
  });

  test.each([
    ["after --", ["/bin/restart", "--", X], "-rf"],
    ["after -- and another argument", ["/bin/restart", "-v", "--", "web", X], "--force"],
    ["as the value of an option", ["/bin/restart", `--reason=${X}`], "-rf"],
    ["behind other text", ["/bin/restart", `host:${X}`], "-rf"],
    ["as an argument of a script after --", ["/bin/sh", "-c", 'echo "$1"', "--", X], "-n"],
    ["after the -- of the program that is run", ["/usr/bin/env", "--", "/bin/rm", "--", X], "-rf"],
  ])("stands %s", (_name, command, title) => {
    expect(faultsOfCommand(command)).toEqual([]);
    expect(commandOf(command, title)).toEqual(command.map((part) => part.replace(X, title)));
  });

  test.each([
    ["before --", ["/bin/restart", X, "--", "web"]],
    ["after the -- of a program that runs another", ["/usr/bin/env", "--", "/bin/rm", X]],
    ["after that of kubectl", ["/usr/bin/kubectl", "exec", "pod", "--", "/bin/rm", X]],
    ["after that of a shell", ["/bin/sh", "-c", "--", 'echo "$1"', "sh", X]],
    ["after text that only looks like it", ["/bin/restart", "--x", "---", X]],
    ["where a part of it is a value", ["/bin/restart", `${X}{{key}}`]],
  ])("is rejected %s", (_name, command) => {
    expect(commandOf(command, "-rf")).toMatchObject(UNSAFE);
  });

  test("may stand in a variable", () => {
    expect(callOf({ environment: { TITLE: X } }, { title: "-rf" })).toMatchObject({
      environment: { TITLE: "-rf" },
    });
  });
});

describe("a placeholder is refused", () => {
  test.each([
    ["as an option", ["/bin/restart", `-${X}`]],
    ["as a long option", ["/bin/restart", `--${X}`]],
    ["in the name of an option", ["/bin/restart", `--with-${X}=1`]],
    ["behind a short option", ["/bin/restart", `-n${X}`]],
  ])("%s", (_name, command) => {
    const fault = "command[1] (line 16): must not hold a placeholder in the name of an option";
    expect(faultsOfCommand(command)).toEqual([expect.stringContaining(fault)]);
  });

  test.each<[string[], number]>([
    [["/bin/sh", "-c", `echo ${X}`], 2],
    [["/bin/sh", "-c", X], 2],
    [["/bin/sh", "-c", "--", `echo ${X}`], 3],
    [["/bin/bash", "-lc", `echo ${X}`], 2],
    [["/bin/bash", "-ec", `echo ${X}`], 2],
    [["/bin/bash", "-ce", `echo ${X}`], 2],
    [["/bin/bash", "-euxc", `echo ${X}`], 2],
    [["/bin/bash", "-c", "-l", `echo ${X}`], 3],
    [["/bin/bash", "-c", "-o", "pipefail", `echo ${X}`], 4],
    [["/bin/bash", "-o", "pipefail", "-c", `echo ${X}`], 4],
    [["/bin/bash", "--norc", "-c", `echo ${X}`], 3],
    [["/bin/bash", "--rcfile", X, "-c", "true"], 2],
    [["/bin/sh", `/opt/scripts/${X}.sh`], 1],
    [["/bin/sh", "-x", X], 2],
    [["/bin/sh", "--", X], 2],
    [["/usr/local/bin/zsh", "-c", X], 2],
    [["/usr/bin/fish", "--command", X], 2],
    [["/usr/bin/fish", `--command=${X}`], 1],
    [["/usr/bin/python3", "-c", `print("${X}")`], 2],
    [["/usr/bin/python3.12", "-Ic", X], 2],
    [["/usr/bin/python3", "-m", X], 2],
    [["/usr/bin/python3", "-W", "ignore", X], 3],
    [["/usr/bin/python3", X], 1],
    [["/usr/bin/perl", "-e", `print "${X}"`], 2],
    [["/usr/bin/perl", "-E", X], 2],
    [["/usr/bin/perl", "-lane", X], 2],
    [["/usr/bin/perl", "-i.bak", "-pe", `s/a/${X}/`], 3],
    [["/usr/bin/perl", "-e", "1", "-e", X], 4],
    [["/usr/bin/perl", `-e${X}`], 1],
    [["/usr/bin/ruby", "-e", X], 2],
    [["/usr/bin/ruby", "-r", X, "/opt/x.rb"], 2],
    [["/usr/bin/node", "-e", X], 2],
    [["/usr/bin/node", "-p", X], 2],
    [["/usr/bin/node", "--eval", X], 2],
    [["/usr/bin/node", `--eval=${X}`], 1],
    [["/usr/bin/node", "--print", X], 2],
    [["/usr/bin/node", "--require", X, "/opt/x.js"], 2],
    [["/usr/bin/node", `--import=${X}`, "/opt/x.js"], 1],
    [["/usr/bin/php", "-r", X], 2],
    [["/usr/bin/lua5.4", "-e", X], 2],
    [["/usr/bin/awk", `{ print "${X}" }`, "/etc/hosts"], 1],
    [["/usr/bin/awk", "-f", X], 2],
    [["/usr/bin/sed", "-i", `s/a/${X}/`, "/etc/x"], 2],
    [["/usr/bin/sed", "-n", "-e", X, "/etc/x"], 3],
    [["/usr/bin/env", X], 1],
    [["/usr/bin/env", "--", X], 2],
    [["/usr/bin/env", "sh", "-c", X], 3],
    [["/usr/bin/env", "-S", `sh -c "${X}"`], 2],
    [["/usr/bin/env", "-C", "/srv", X], 3],
    [["/usr/bin/env", `A=${X}`, "/bin/true"], 1],
    [["/usr/bin/env", "-i", "/bin/bash", "-lc", X], 4],
    [["/usr/bin/sudo", "-u", "deploy", X], 3],
    [["/usr/bin/sudo", "-u", X, "/bin/true"], 2],
    [["/usr/bin/sudo", "/bin/sh", X], 2],
    [["/usr/bin/sudo", "-u", "deploy", "/usr/bin/env", "python3", "-c", X], 6],
    [["/usr/bin/timeout", "30", "/bin/sh", "-c", X], 4],
    [["/usr/bin/timeout", "30", X], 2],
    [["/usr/bin/flock", "/var/lock/x", X], 2],
    [["/usr/bin/flock", "/var/lock/x", "-c", X], 3],
    [["/usr/bin/xargs", "-I", "{}", "/bin/sh", "-c", X], 5],
    [["/bin/busybox", "sh", "-c", X], 3],
    [["/bin/busybox", X], 1],
    [["/usr/bin/ssh", "web-1", `restart ${X}`], 2],
    [["/usr/bin/ssh", "-i", "/key", "web-1", "restart", X], 5],
    [["/usr/bin/ssh", "-o", `ProxyCommand=${X}`, "web-1"], 2],
    [["/usr/bin/ssh", "web-1", "--", X], 3],
    [["/usr/bin/su", "deploy", "-c", X], 3],
    [["/usr/bin/watch", X], 1],
    [["/usr/bin/kubectl", "exec", "pod", "--", X], 4],
    [["/usr/bin/kubectl", "exec", "pod", "--", "sh", "-c", X], 6],
    [["/usr/bin/docker", "exec", "web", "sh", "-c", X], 5],
    [["/usr/bin/find", "/srv", "-exec", X, ";"], 3],
    [["/usr/bin/find", "/srv", "-exec", "/bin/sh", "-c", X, ";"], 5],
    [["/opt/bin/run-as", "deploy", "/bin/sh", X], 3],
    [["/opt/bin/run-as", "-c", X], 2],
    [["/opt/bin/run-as", "-e", `say ${X}`], 2],
    [["/opt/bin/run-as", "--command", X], 2],
    [["/opt/bin/run-as", `--exec=${X}`], 1],
    [["/usr/bin/rsync", "-e", X, "a", "b:"], 2],
    [["/usr/bin/rsync", `--rsh=${X}`, "a", "b:"], 1],
    [["/bin/tar", `--to-command=${X}`, "-xf", "/a.tar"], 1],
    [["/usr/bin/docker", "run", `--entrypoint=${X}`, "image"], 2],
    [["/usr/bin/docker", "run", "--entrypoint", X, "image"], 3],
    [["/usr/bin/git", "-c", X, "fetch"], 2],
    [["/usr/bin/pwsh", "-Command", X], 2],
    [["/usr/bin/java", "-jar", X], 2],
    [["/usr/bin/java", "-cp", "/opt/x.jar", X], 3],
    [["/usr/bin/deno", "eval", X], 2],
    [["/usr/bin/npm", "run", X], 2],
    [["/usr/bin/npx", X], 1],
    [["/usr/bin/go", "run", X], 2],
    [["/usr/bin/ansible", "web", "-m", "shell", "-a", X], 5],
    [["/usr/bin/socat", "-", `EXEC:${X}`], 2],
    [["/usr/bin/sqlite3", "/srv/db", `delete from t where a='${X}'`], 2],
    [["/usr/bin/node22", "-e", X], 2],
    [["/usr/bin/psql", "-c", `select '${X}'`], 2],
    [["/usr/bin/mysql", "-Be", X], 2],
    [["/usr/bin/env", "-S", "bash -c", X], 3],
    [["/usr/bin/env", "-iS", "bash -c", X], 3],
    [["/usr/bin/env", "--split-string=bash -c", X], 2],
    [["/usr/bin/docker", "exec", "web", "bash", X], 4],
    [["/usr/bin/docker", "exec", "-e", "A=1", "web", "bash", "-euxc", X], 7],
    [["/usr/bin/docker", "exec", "web", "psql", "-c", X], 5],
    [["/usr/bin/docker", "run", "image", "perl", "-e", `A=${X}`], 5],
    [["/usr/bin/docker-compose", "exec", "web", "awk", X], 4],
    [["/usr/bin/kubectl", "exec", "pod", "psql", "-c", X], 5],
    [["/usr/bin/kubectl", "exec", "pod", "--", "psql", "-c", X], 6],
    [["/usr/bin/taskset", "1", "bash", X], 3],
    [["/usr/bin/chrt", "-f", "1", "bash", X], 4],
    [["/usr/bin/cgexec", "-g", "cpu:x", "bash", X], 4],
    [["/usr/bin/sshpass", "-e", "ssh", "web-1", `restart ${X}`], 4],
    [["/usr/bin/sshpass", "-f", "/key", "ssh", "web-1", X], 5],
    [["/usr/bin/ssh-agent", X], 1],
    [["/usr/bin/plink", "web-1", X], 2],
    [["/usr/bin/tmux", "send-keys", "-t", "web", X], 4],
    [["/usr/bin/sg", "docker", X], 2],
    [["/usr/bin/salt-call", "cmd.run", X], 2],
    [["/usr/bin/salt-ssh", "web-1", "cmd.run", X], 3],
    [["/usr/bin/powershell", "-Command", X], 2],
    [["/usr/bin/influx", "-execute", X], 2],
    [["/usr/bin/ansible-playbook", "--extra-vars", `host=${X}`, "/opt/x.yml"], 2],
    [["/usr/bin/ansible-playbook", `--extra-vars=host=${X}`, "/opt/x.yml"], 1],
    [["/usr/bin/aws", "ssm", "send-command", "--parameters", `commands=["restart ${X}"]`], 4],
    [["/usr/bin/aws", "ssm", "send-command", "--parameters", `{"commands":["restart ${X}"]}`], 4],
    [["/usr/bin/aws", "ssm", "send-command", `--parameters=commands=restart ${X}`], 3],
    [["/usr/bin/az", "vm", "run-command", "invoke", "--scripts", `restart ${X}`], 5],
    [["/bin/tar", `--checkpoint-action=exec=${X}`, "-cf", "/a.tar", "/a"], 1],
    [["/bin/tar", `--use-compress-program=${X}`, "-xf", "/a.tar"], 1],
    [["/usr/bin/rsync", `--rsync-path=${X}`, "a", "b:"], 1],
    [["/usr/bin/git", "clone", `--upload-pack=${X}`, "a"], 2],
    [["/usr/bin/scp", "-o", `ProxyCommand=${X}`, "a", "b:"], 2],
    [["/usr/bin/helm", "upgrade", `--post-renderer=${X}`, "a", "b"], 2],
  ])("in what %j would run", (command, index) => {
    expect(faultsOfCommand(command)).toEqual([
      expect.stringContaining(
        `command[${index}] (line ${15 + index}): must not hold a placeholder`,
      ),
    ]);
  });

  test("after -c or -e of a program that nothing is known of, and says so", () => {
    expect(faultsOfCommand(["/opt/bin/restart", "-e", X])).toEqual([
      expect.stringContaining(
        "must not hold a placeholder after -e, by which many programs take a script. Pass values by environment",
      ),
    ]);
  });

  test("as the executable, with a zero byte, and with a zero byte in a variable", () => {
    expect(faultsOfCommand([X])[0]).toContain("absolute path without placeholders");
    expect(faultsOfCommand(["/bin/a", "b\0"])[0]).toContain("zero byte");
    expect(faultsOfCommand(["/bin/a"], { A: "b\0" })[0]).toContain("zero byte");
  });
});

describe("a placeholder may stand", () => {
  test.each<[string[]]>([
    [["/bin/restart", X, "now"]],
    [["/bin/restart", "--host", X]],
    [["/bin/restart", `--host=${X}`]],
    [["/bin/sh", "-c", 'restart "$1"', "sh", X]],
    [["/bin/sh", "-c", 'restart "$1"', "/bin/sh", X]],
    [["/bin/bash", "-euo", "pipefail", "-c", 'restart "$1"', "--", X]],
    [["/bin/sh", "/opt/restart.sh", X]],
    [["/bin/bash", "-x", "/opt/restart.sh", "--", X]],
    [["/usr/bin/python3", "-u", "/opt/restart.py", X]],
    [["/usr/bin/python3", "-c", "import sys", X]],
    [["/usr/bin/python3", "-m", "restart", X]],
    [["/usr/bin/perl", "-e", "print @ARGV", X]],
    [["/usr/bin/node", "/opt/x.js", X]],
    [["/usr/bin/awk", "-v", `host=${X}`, "$1 == host", "/etc/hosts"]],
    [["/usr/bin/env", "A=1", "/bin/restart", X]],
    [["/usr/bin/env", "-i", "bash", "/opt/restart.sh", X]],
    [["/usr/bin/sudo", "-n", "-u", "deploy", "/bin/systemctl", "restart", X]],
    [["/usr/bin/timeout", "-k", "5", "30", "/bin/restart", X]],
    [["/usr/bin/ssh", "-i", "/key", X, "uptime"]],
    [["/usr/bin/kubectl", "rollout", "restart", `deployment/${X}`]],
    [["/usr/bin/kubectl", "exec", X, "--", "/bin/restart", "--", X]],
    [["/usr/bin/java", "-Xmx64m", "-jar", "/opt/x.jar", X]],
    [["/usr/bin/npm", "run", "restart", "--", X]],
    [["/usr/bin/ansible", X, "-m", "ping"]],
    [["/usr/bin/logger", "-t", "node", X]],
    [["/usr/bin/curl", "--data-urlencode", `title=${X}`, "https://t.example/"]],
    [["/bin/grep", `--regexp=${X}`, "/etc/hosts"]],
    [["/bin/grep", "-c", X, "/etc/hosts"]],
    [["/bin/grep", "-qe", X, "/etc/hosts"]],
    [["/bin/echo", "-e", X]],
    [["/usr/bin/mail", "-s", X, "-c", X, "ops@example.com"]],
    [["/usr/bin/amtool", "silence", "add", "-c", X, "host=web"]],
    [["/usr/bin/kubectl", "logs", "-c", X, "pod"]],
    [["/usr/bin/kubectl", "exec", X, "-c", X, "--", "/bin/restart"]],
    [["/usr/bin/docker", "run", "--rm", "-e", `TITLE=${X}`, "image"]],
    [["/usr/bin/docker", "exec", "-e", `TITLE=${X}`, "web", "bash", "/opt/x.sh"]],
    [["/usr/bin/docker", "exec", X, "/bin/restart"]],
    [["/usr/bin/java", `-Dhost=${X}`, "-jar", "/opt/x.jar"]],
    [["/usr/bin/awk", `-vhost=${X}`, "$1 == host", "/etc/hosts"]],
    [["/opt/bin/notify", "--error-code", X]],
    [["/opt/automation/exec", X]],
    [["/usr/bin/aws", "ecs", "run-task", "--overrides", `{"name":"${X}","command":["restart"]}`]],
  ])("in %j", (command) => {
    expect(faultsOfCommand(command)).toEqual([]);
    expect(commandOf(command, "a b; c")).toEqual(command.map((part) => part.replace(X, "a b; c")));
  });
});
