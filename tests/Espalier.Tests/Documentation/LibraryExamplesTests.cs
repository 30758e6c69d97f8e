using System.Diagnostics;
using System.Text.RegularExpressions;
using Espalier.Tests.Data;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Emit;

namespace Espalier.Tests.Documentation;

/// <summary>
/// The examples of docs/library.md, compiled as they stand there, as a stranger's program that sees public members only,
/// and run one after the other in a process of its own.
/// </summary>
[Trait("Kind", "Process")]
public sealed partial class LibraryExamplesTests : IDisposable
{
    private const string ImplicitUsings =
        "global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq;";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void EveryExampleRuns()
    {
        string[] examples =
            [.. Example().Matches(File.ReadAllText(Path.Combine(RepositoryRoot.Find(), "docs", "library.md"))).Select(match => match.Groups[1].Value)];
        string[] said = [.. examples.Select((example, i) => Run(Compile(example, $"example{i}")))];
        Assert.Equal(5, said.Length);
        Assert.Matches(@"^held-out loss \d\.\d\d after 20 steps\n$", said[0]);
        Assert.StartsWith("double-width", said[1], StringComparison.Ordinal);
        Assert.True(said[2].Length > 10, said[2]);
        Assert.Equal("4\n", said[3]);
        Assert.Matches(@"^loss \d\.\d\d, 4 and 8 layers, 2\.4E\+007 FLOPs a sequence\n$", said[4]);
    }

    [GeneratedRegex("^```csharp\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Example();

    private string Compile(string code, string name)
    {
        string trusted = (string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!;
        var compilation = CSharpCompilation.Create(
            name,
            [CSharpSyntaxTree.ParseText(ImplicitUsings), CSharpSyntaxTree.ParseText(code)],
            trusted.Split(Path.PathSeparator).Select(file => MetadataReference.CreateFromFile(file)),
            new CSharpCompilationOptions(OutputKind.ConsoleApplication, nullableContextOptions: NullableContextOptions.Enable));

        // Beside the assemblies that it uses, links to which stand for copies.
        foreach (string file in Directory.GetFiles(AppContext.BaseDirectory, "*.dll").Concat(Directory.GetFiles(AppContext.BaseDirectory, "*.so")))
        {
            string link = _folder.File("bin/" + Path.GetFileName(file));
            Directory.CreateDirectory(Path.GetDirectoryName(link)!);
            if (!File.Exists(link))
            {
                File.CreateSymbolicLink(link, file);
            }
        }

        string program = _folder.File($"bin/{name}.dll");
        EmitResult result = compilation.Emit(program);
        Assert.True(result.Success, string.Join('\n', result.Diagnostics.Where(problem => problem.Severity == DiagnosticSeverity.Error)));
        File.WriteAllText(
            _folder.File($"bin/{name}.runtimeconfig.json"),
            """{"runtimeOptions":{"framework":{"name":"Microsoft.NETCore.App","version":"10.0.0"},"configProperties":{"System.Globalization.Invariant":true}}}""");
        return program;
    }

    private string Run(string program)
    {
        var start = new ProcessStartInfo(
            Environment.ProcessPath is string path && Path.GetFileName(path) == "dotnet" ? path : "dotnet", [program])
        {
            WorkingDirectory = _folder.Path,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, error.Result);
        return output;
    }
}
