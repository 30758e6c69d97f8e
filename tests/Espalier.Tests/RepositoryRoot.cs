namespace Espalier.Tests;

/// <summary>Finds the repository that the tests were built in.</summary>
internal static class RepositoryRoot
{
    public static string Find()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Espalier.slnx")))
        {
            folder = Path.GetDirectoryName(folder)!;
        }

        return folder;
    }
}
