using System.Diagnostics;
using System.Runtime.Versioning;

namespace Espalier.Tests;

/// <summary>eng/setup.sh on pretended machines: a PATH with nothing on it but what each test puts there.</summary>
[UnsupportedOSPlatform("windows")]
[Trait("Kind", "Process")]
public sealed class SetupTests : IDisposable
{
    private static readonly string[] BareTools =
        ["bash", "cat", "env", "find", "flock", "grep", "head", "id", "mkdir", "mv", "readlink", "rm", "sed", "sort", "tail", "touch"];

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

    [Fact]
    public void LinksToTheSystemsLibtorchAreTheSystems()
    {
        // As Debian 13's python3-torch has them, and as a wheel has files of its own.
        string links = Path.Combine(_machine, "links", "lib"), wheel = Path.Combine(_machine, "site-packages", "torch", "lib");
        Directory.CreateDirectory(links);
        Directory.CreateDirectory(wheel);
        File.CreateSymbolicLink(Path.Combine(links, "libtorch_cpu.so"), "/usr/lib/libtorch_cpu.so.2.6");
        File.WriteAllText(Path.Combine(wheel, "libtorch_cpu.so"), "");
        Assert.Equal((0, "true\n"), Run($"take_libtorch {links}/libtorch_cpu.so; echo $LibtorchIsSystems >&2"));
        Assert.Equal((0, "false\n"), Run($"take_libtorch {wheel}/libtorch_cpu.so; echo $LibtorchIsSystems >&2"));
    }

    [Fact]
    public void WhereTheSystemOffersNoLibtorchPyTorchsIsFetched()
    {
        AddTool("id", "echo 0");
        AddTool("apt-get", "echo \"$*\" >> \"$Calls\"");
        AddTool("apt-cache", "");
        (int code, string said) = Run("offers libtorch-dev");
        Assert.Equal(1, code);
        Assert.Contains("fetching package lists", said, StringComparison.Ordinal);
        Assert.Contains("update", Calls()[^1], StringComparison.Ordinal);

        AddTool("pip3", "echo \"$PIP_INDEX_URL $*\" >> \"$Calls\"; mkdir -p \"$Machine/root/build/libtorch.partial/torch/lib\"");
        Assert.Equal(0, Run("fetch_libtorch").Code);
        Assert.StartsWith("https://download.pytorch.org/whl/cpu install", Calls()[^1], StringComparison.Ordinal);
        Assert.True(Directory.Exists(Path.Combine(_machine, "root", "build", "libtorch", "torch", "lib")));

        AddTool("pip3", "echo 'no such version' >&2; exit 1");
        (code, said) = Run("fetch_libtorch");
        Assert.Equal(1, code);
        Assert.Contains("no such version", said, StringComparison.Ordinal);
        Assert.Contains("ESPALIER_LIBTORCH", said, StringComparison.Ordinal);
    }

    [Fact]
    public void AFolderThatCMakeMadeElsewhereIsBegunAnew()
    {
        string build = Directory.CreateDirectory(Path.Combine(_machine, "native")).FullName;
        string cache = Path.Combine(build, "CMakeCache.txt"), made = Path.Combine(build, "made");
        string source = Path.Combine(RepositoryRoot.Find(), "native");
        foreach (string tool in new[] { "cmake", "dirname" })
        {
            AddTool(tool, tool == "cmake" ? "exit 0" : "/usr/bin/dirname \"$@\"");
        }

        WriteCache(build);
        Assert.Equal((0, ""), Run($"'{source}/build' {build}"));
        Assert.True(File.Exists(made));

        WriteCache("/where/it/lay/before");
        Assert.Equal((0, "The build in " + build + " was made for another folder: it begins anew.\n"), Run($"'{source}/build' {build} >&2"));
        Assert.False(File.Exists(made));

        void WriteCache(string madeIn)
        {
            File.WriteAllText(cache, $"CMAKE_CACHEFILE_DIR:INTERNAL={madeIn}\nCMAKE_HOME_DIRECTORY:INTERNAL={source}\n");
            File.WriteAllText(made, "");
        }
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
