namespace Espalier.Cli;

/// <summary>What came from stdin, in a temporary file, for it is read more than once.</summary>
internal sealed class SpooledInput : IDisposable
{
    private static readonly string[] Endings = [".txt", ".jsonl", ".parquet", ".txt.gz", ".jsonl.gz", ".txt.zst", ".jsonl.zst"];
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("espalier-stdin-");

    private SpooledInput(string ending) => Path = System.IO.Path.Combine(_folder.FullName, "stdin" + ending);

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Reads stdin to its end.</summary>
    /// <param name="ending">How the name of a file with such content ends.</param>
    /// <exception cref="UserErrorException">The ending is unknown, or there is no room for the text.</exception>
    public static SpooledInput OfStdin(string ending)
    {
        if (!Endings.Contains(ending))
        {
            throw new UserErrorException($"--stdin-as {ending} is of an unknown kind.", $"It is one of {string.Join(", ", Endings)}.");
        }

        StandardInput.TellPerson();
        var input = new SpooledInput(ending);
        try
        {
            using Stream stdin = Console.OpenStandardInput();
            using FileStream file = File.Create(input.Path);
            stdin.CopyTo(file);
            return input;
        }
        catch (IOException e)
        {
            input.Dispose();
            throw new UserErrorException(
                $"What stdin holds cannot be kept in {System.IO.Path.GetTempPath()}: {e.Message}",
                "Free some space, or name another folder in TMPDIR.", e);
        }
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
