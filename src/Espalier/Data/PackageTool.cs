using System.ComponentModel;
using System.Diagnostics;

namespace Espalier.Data;

/// <summary>A package manager that is asked to bring a package into a folder, and whose last words are told when it fails.</summary>
/// <param name="Command">The program.</param>
/// <param name="DebianPackage">What to install to have it.</param>
/// <param name="Check">What to try when it cannot fetch.</param>
internal sealed record PackageTool(string Command, string DebianPackage, string Check)
{
    public static PackageTool Npm { get; } = new("npm", "npm", "Check the network and npm's registry: npm ping");

    public static PackageTool Apt { get; } = new("apt-get", "apt", "Check the network and Debian's package lists: sudo apt-get update");

    public static PackageTool Dpkg { get; } = new("dpkg-deb", "dpkg", "Try again.");

    /// <summary>Lets npm fetch a package as one compressed file, and says where it lies.</summary>
    public string Pack(string package, string folder, CancellationToken cancellation) =>
        Fetch(package, ["pack", package, "--ignore-scripts", "--pack-destination", folder], folder, "*.tgz", cancellation);

    /// <summary>Lets apt fetch a package of Debian without installing it, and says where it lies.</summary>
    public string Download(string package, string folder, CancellationToken cancellation) =>
        Fetch(package, ["download", package], folder, "*.deb", cancellation);

    /// <summary>Lets dpkg-deb unpack a package into a folder.</summary>
    public void Extract(string package, string folder, CancellationToken cancellation)
    {
        (int exitCode, string said) = Run(["--extract", package, folder], Path.GetDirectoryName(package)!, cancellation);
        if (exitCode != 0)
        {
            throw new UserErrorException($"The package {Path.GetFileName(package)} arrived damaged: {said}", Check);
        }
    }

    private string Fetch(string package, string[] arguments, string folder, string found, CancellationToken cancellation)
    {
        Directory.CreateDirectory(folder);
        (int exitCode, string said) = Run(arguments, folder, cancellation);
        return exitCode == 0 && Directory.GetFiles(folder, found) is [string file] ? file : throw new UserErrorException(
            $"{Command} could not fetch {package} (exit code {exitCode}). It said last:\n{said}", Check);
    }

    private (int ExitCode, string Said) Run(string[] arguments, string folder, CancellationToken cancellation)
    {
        var start = new ProcessStartInfo(Command, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        var said = new List<string>();
        using var process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, line) => Hear(line.Data);
        process.ErrorDataReceived += (_, line) => Hear(line.Data);
        try
        {
            process.Start();
        }
        catch (Win32Exception e)
        {
            throw new UserErrorException(
                $"{Command} cannot be started: {e.Message}", $"Install it, on Debian: sudo apt-get install {DebianPackage}", e);
        }

        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        try
        {
            process.WaitForExitAsync(cancellation).GetAwaiter().GetResult();
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        return (process.ExitCode, string.Join('\n', said.TakeLast(8)));

        void Hear(string? line)
        {
            if (!string.IsNullOrWhiteSpace(line))
            {
                lock (said)
                {
                    said.Add(line);
                }
            }
        }
    }
}
