using System.Diagnostics;
using System.Runtime.Versioning;

namespace Espalier.Tests;

/// <summary>eng/setup.sh on pretended machines: a PATH with nothing on it but what each test puts there.</summary>
[UnsupportedOSPlatform("windows")]
[Trait("Kind", "Process")]
public sealed class SetupTests : IDisposable
{
    private static readonly string[] BareTools =
        ["bash", "cat", "env", "find", "flock", "grep", "head", "id", "mkdir", "mv", "rm", "sed", "sort", "tail", "touch"];

    private readonly string _machine = Directory.CreateTempSubdirectory("espalier-setup").FullName;

    public SetupTests()
    {
        foreach (string tool in BareTools)
        {
            if (File.Exists("/usr/bin/" + tool))
            {
                File.CreateSymbolicLink(Path.Combine(_machine, tool), "/usr/bin/" + tool);
            }
        }
    }

    public void Dispose() => Directory.Delete(_machine, recursive: true);

    [Fact]
    public void WithoutTheSdkItSaysWhereToGetIt()
    {
        (int code, string said) = Run("require_dotnet");
        Assert.Equal(1, code);
        Assert.Contains("https://dotnet.microsoft.com/download/dotnet/10.0", said, StringComparison.Ordinal);
    }

    [Fact]
    public void AnOldSdkWillNotDo()
    {
        AddTool("dotnet", "echo '8.0.100 [/usr/lib/dotnet/sdk]'");
        (int code, string said) = Run("require_dotnet; require_sdk");
        Assert.Equal(1, code);
        Assert.Contains("no SDK 10", said, StringComparison.Ordinal);
        AddTool("dotnet", "echo '8.0.100 [/sdk]'; echo '10.0.401 [/sdk]'");
        Assert.Equal((0, ""), Run("require_dotnet; require_sdk"));
    }

    [Fact]
    public void WhatIsThereIsNotInstalled()
    {
        AddTool("apt-get", "exit 1");
        AddTool("npm", "exit 1");
        Assert.Equal((0, ""), Run("require_npm"));
    }

    [Fact]
    public void WhatIsMissingIsInstalledAndListsAreFetchedOnlyWhenNeeded()
    {
        AddTool("id", "echo 0");
        AddTool("apt-get", "echo \"$*\" >> \"$Calls\"");
        (int code, string said) = Run("require_npm");
        Assert.Equal(0, code);
        Assert.Contains("npm: fetches the text", said, StringComparison.Ordinal);
        Assert.Equal(["-y -qq --no-install-recommends install npm ca-certificates"], Calls());

        AddTool("apt-get", "echo \"$*\" >> \"$Calls\"; case \"$*\" in *update) touch \"$Calls.lists\";; *) [ -e \"$Calls.lists\" ];; esac");
        Assert.Equal(0, Run("require_npm").Code);
        Assert.Equal(["install", "update", "install"], Calls().Skip(1).Select(c => c.Contains("update", StringComparison.Ordinal) ? "update" : "install"));
    }

    [Fact]
    public void OthersThanRootInstallThroughSudo()
    {
        AddTool("id", "echo 1000");
        AddTool("apt-get", "echo \"$*\" >> \"$Calls\"");
        (int code, string said) = Run("require_npm");
        Assert.Equal(1, code);
        Assert.Contains("apt-get install npm", said, StringComparison.Ordinal);
        AddTool("sudo", "echo sudo >> \"$Calls\"; exec \"$@\"");
        (code, said) = Run("require_npm");
        Assert.Equal(0, code);
        Assert.Contains("(with sudo)", said, StringComparison.Ordinal);
        Assert.Equal("sudo", Calls()[0]);
    }

    [Fact]
    public void WhereInstallingFailsItShowsWhy()
    {
        AddTool("id", "echo 0");
        AddTool("apt-get", "echo 'E: the network is down'; exit 1");
        (int code, string said) = Run("require_npm");
        Assert.Equal(1, code);
        Assert.Contains("E: the network is down", said, StringComparison.Ordinal);
        Assert.Contains("By hand: apt-get install npm", said, StringComparison.Ordinal);
    }

    [Fact]
    public void OnAnotherSystemItSaysWhatToInstall()
    {
        (int code, string said) = Run("require_build_tools");
        Assert.Equal(1, code);
        Assert.Contains("- cmake: ", said, StringComparison.Ordinal);
        Assert.Contains("- g++: ", said, StringComparison.Ordinal);
        (code, said) = Run("packages=(libtorch-dev); reasons=('libtorch-dev: computes'); install_packages");
        Assert.Equal(1, code);
        Assert.Contains("set ESPALIER_LIBTORCH", said, StringComparison.Ordinal);
    }

    [Fact]
    public void ALibtorchThatIsNoneIsNamed()
    {
        (int code, string said) = Run("ESPALIER_LIBTORCH=/nowhere; find_libtorch");
        Assert.Equal(1, code);
        Assert.Contains("ESPALIER_LIBTORCH=/nowhere is no libtorch", said, StringComparison.Ordinal);
    }

    private string[] Calls() => File.ReadAllLines(Path.Combine(_machine, "calls"));

    private void AddTool(string name, string body)
    {
        string path = Path.Combine(_machine, name);
        File.Delete(path);
        File.WriteAllText(path, "#!/usr/bin/bash\n" + body + "\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserExecute);
    }

    private (int Code, string Said) Run(string call)
    {
        string script = Path.Combine(RepositoryRoot.Find(), "eng", "setup.sh");
        var start = new ProcessStartInfo("/usr/bin/bash", ["-c", $"set -euo pipefail; Root=$Machine/root; . '{script}'; {call}"])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        start.Environment.Clear();
        start.Environment["PATH"] = _machine;
        start.Environment["HOME"] = _machine;
        start.Environment["Machine"] = _machine;
        start.Environment["Calls"] = Path.Combine(_machine, "calls");
        using Process process = Process.Start(start)!;
        string said = process.StandardError.ReadToEnd();
        Assert.Equal("", process.StandardOutput.ReadToEnd());
        process.WaitForExit();
        return (process.ExitCode, said);
    }
}
