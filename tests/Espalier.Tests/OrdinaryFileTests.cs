using System.Diagnostics;
using Espalier.Data;
using Espalier.Interop;
using Espalier.Tests.Data;
using Espalier.Training;

namespace Espalier.Tests;

/// <summary>What would be waited for, or read, without end.</summary>
public sealed class OrdinaryFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static readonly Action<string>[] Readers =
    [
        path => RecipeReader.Read(path),
        path => JsonFile.ReadObject(path),
        path => Tokenizer.Load(path),
        path => SafetensorsFile.Open(path).Dispose(),
        path => TokenShard.Open(path).Dispose(),
        path => TextFile.Read(path),
    ];

    [Fact]
    public void PipesAndDevicesAreRefused()
    {
        string pipe = _folder.File("pipe");
        Process.Start("mkfifo", [pipe]).WaitForExit();
        foreach (Action<string> read in Readers)
        {
            Refused(read, pipe, "is a pipe");
            Refused(read, "/dev/zero", "is a device");
        }

        static void Refused(Action<string> read, string path, string why)
        {
            var error = Assert.Throws<UserErrorException>(() => read(path));
            Assert.Equal($"{path} {why}, not a file.", error.Message);
            Assert.NotNull(error.Hint);
        }
    }

    [Fact]
    public void SettingsOfAnySizeAreNotRead()
    {
        string file = _folder.File("large.yaml");
        using (FileStream stream = File.Create(file))
        {
            stream.SetLength(17 << 20);
        }

        Assert.Equal($"{file} is larger than 16 MB.", Assert.Throws<UserErrorException>(() => RecipeReader.Read(file)).Message);
        Assert.Equal($"{file} is larger than 16 MB.", Assert.Throws<UserErrorException>(() => JsonFile.ReadObject(file)).Message);
    }
}
