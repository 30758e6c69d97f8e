using System.Globalization;

namespace Espalier.Planning;

/// <summary>Reads a CSV of steps and losses, such as TensorBoard exports: <c>Wall time,Step,Value</c>.</summary>
internal static class LossTable
{
    private static readonly string[] StepNames = ["step", "steps", "iteration"];

    private static readonly string[] LossNames = ["value", "valid_loss", "val_loss", "validation_loss", "loss", "train_loss"];

    /// <summary>The losses of a file; rows without one are left out.</summary>
    /// <param name="path">The file.</param>
    /// <param name="column">The column of the loss; null for the first of the usual names.</param>
    /// <returns>The name of the column, and its losses by growing step.</returns>
    /// <exception cref="UserErrorException">It cannot be read, or it lacks something; the message names file and line.</exception>
    public static (string Column, IReadOnlyList<(double Step, double Loss)> Points) Read(string path, string? column)
    {
        string[] lines = Lines(path);
        string[] header = [.. (lines.Length > 0 ? lines[0] : "").Split(',').Select(cell => cell.Trim().Trim('"'))];
        if (lines.Length == 0 || lines[0].Trim().Length == 0)
        {
            throw new UserErrorException($"'{path}' is empty.", "Give a CSV with a line of names, a column of steps and one of losses.");
        }

        int step = Place(StepNames), loss = column is null ? Place(LossNames) : Place([column]);
        if (step < 0)
        {
            throw Missing("no column of steps", "step");
        }

        if (loss < 0)
        {
            throw Missing(column is null ? "no column of losses" : $"no column '{column}'", "--column NAME");
        }

        List<(double Step, double Loss)> points = [];
        for (int i = 1; i < lines.Length; i++)
        {
            string[] cells = lines[i].Split(',');
            string cell = loss < cells.Length ? cells[loss].Trim() : "";
            if (cell.Length == 0)
            {
                continue;
            }

            (double atStep, double value) = (Number(step < cells.Length ? cells[step] : "", header[step], i), Number(cell, header[loss], i));
            string? flaw = value <= 0 ? $"the loss {cell} is not positive"
                : points.Count > 0 && atStep <= points[^1].Step ? $"step {cells[step]} does not come after the one before"
                : null;
            if (flaw is not null)
            {
                throw Flaw(i, flaw);
            }

            if (atStep > 0)
            {
                points.Add((atStep, value));
            }
        }

        return points.Count > 0
            ? (header[loss], points)
            : throw new UserErrorException($"'{path}' holds no losses.", "Is it the right file, and has its run begun?");

        int Place(string[] names) => names
            .Select(name => Array.FindIndex(header, cell => string.Equals(cell, name, StringComparison.OrdinalIgnoreCase)))
            .FirstOrDefault(place => place >= 0, -1);

        UserErrorException Missing(string what, string remedy) => new(
            $"'{path}' has {what}: its columns are {string.Join(", ", header)}.",
            remedy.StartsWith('-') ? $"Name the one that holds the loss: {remedy}." : "Call the column of updates 'step'.");

        double Number(string cell, string name, int line) =>
            double.TryParse(cell, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number)
                ? number
                : throw Flaw(line, $"'{name}' is '{cell}', not a finite number");

        UserErrorException Flaw(int line, string flaw) => new(
            string.Create(CultureInfo.InvariantCulture, $"'{path}', line {line + 1}: {flaw}."), "Mend or delete the line.");
    }

    private static string[] Lines(string path)
    {
        try
        {
            OrdinaryFile.Require(path);
            return File.ReadAllLines(path);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new UserErrorException(
                $"There is no '{path}'.", "Name a run folder or a CSV of steps and losses; sizes follow an @.", exception);
        }
    }
}
