Option Explicit

' The buttons of every sheet run these three macros. They find their cells by the names of the sheet that is shown.

Public Sub OneEpoch()
    RunEpochs 1
End Sub

Public Sub FiveEpochs()
    RunEpochs 5
End Sub

Public Sub Reset()
    Dim sheet As Object
    Dim updating As Boolean
    Set sheet = ActiveSheet
    updating = Application.ScreenUpdating
    On Error GoTo Done
    Application.ScreenUpdating = False
    Named(sheet, "carried").ClearContents
    Named(sheet, "carried_weights").Cells(1, 1).Value = Named(sheet, "start_b").Value
    Named(sheet, "carried_weights").Cells(1, 2).Value = Named(sheet, "start_a").Value
    Named(sheet, "history").ClearContents
    Application.Calculate
Done:
    Restore updating
End Sub

' The rows show the epoch to come: keep its result, then let its last row be the one that the next epoch starts from.
Private Sub RunEpochs(ByVal count As Long)
    Dim sheet As Object
    Dim history As Object
    Dim result As Object
    Dim updating As Boolean
    Dim i As Long
    Set sheet = ActiveSheet
    updating = Application.ScreenUpdating
    On Error GoTo Done
    Application.ScreenUpdating = False
    Set history = Named(sheet, "history")
    Set result = Named(sheet, "epoch_result")
    For i = 1 To count
        Application.Calculate
        If result.Cells(1, 1).Value > history.Rows.Count Then Exit For
        history.Rows(result.Cells(1, 1).Value).Value = result.Value
        Named(sheet, "carried").Value = Named(sheet, "last_row").Value
    Next i
    Application.Calculate
Done:
    Restore updating
End Sub

' Range(name) would do in Excel; LibreOffice finds the names of a sheet only here.
Private Function Named(ByVal sheet As Object, ByVal label As String) As Object
    Dim target As String
    target = sheet.Names(label).RefersTo
    Set Named = sheet.Range(Mid$(target, InStrRev(target, "!") + 1))
End Function

Private Sub Restore(ByVal updating As Boolean)
    Application.ScreenUpdating = updating
    If Err.Number = 0 Then Exit Sub
    MsgBox "This did not work: " & Err.Description & ". Choose the sheet of an optimizer and press its button."
End Sub
